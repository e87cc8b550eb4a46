// g++ reports each basic block by calling __sanitizer_cov_trace_pc; libFuzzer wants arrays of 8-bit counters. A block's
// counter is found by its address. libFuzzer has an empty function of that name: the linker's --wrap puts this one in
// its place.

#include <cstddef>
#include <cstdint>

extern "C" {

void __sanitizer_cov_8bit_counters_init(uint8_t* begin, uint8_t* end);

static uint8_t counters[1 << 16];

__attribute__((constructor)) static void RegisterCounters() {
  __sanitizer_cov_8bit_counters_init(counters, counters + sizeof counters);
}

void __wrap___sanitizer_cov_trace_pc() {
  auto address = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  ++counters[(address ^ (address >> 16)) & 0xffff];
}

// g++ reports comparisons of floats too, which libFuzzer does not know.
void __sanitizer_cov_trace_cmpf(float, float) {}
void __sanitizer_cov_trace_cmpd(double, double) {}
}
