#include "model/forest/machine_code.h"

#include "model/forest/plane_kernel.h"

#if defined(__x86_64__)
#include <hwy/targets.h>
#include <sys/mman.h>
#include <xbyak/xbyak.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <vector>

namespace slipway::model {
namespace {

constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();
constexpr size_t kMostInputs = 3;

bool has_wide_registers() { return (hwy::SupportedTargets() & (HWY_AVX3 | HWY_AVX3_DL)) != 0; }

bool is_constant(Plane plane) { return plane == kZeros || plane == kOnes; }

/// The planes that a gate reads, each once.
struct GateInputs {
  std::array<Plane, kMostInputs> planes{};
  size_t count = 0;

  explicit GateInputs(const WideGate& gate) {
    for (auto plane : {gate.select, gate.zero, gate.one})
      if (!is_constant(plane) && std::find(planes.begin(), planes.begin() + count, plane) == planes.begin() + count)
        planes[count++] = plane;
  }
};

/// Which gate reads a plane next.
class Uses {
 public:
  explicit Uses(std::span<const WideGate> gates) : after_(gates.size()), first_(gates.size(), kNever) {
    boost::unordered_flat_map<Plane, uint32_t> next;
    for (auto g = static_cast<uint32_t>(gates.size()); g-- > 0;) {
      if (auto found = next.find(gates[g].out); found != next.end()) first_[g] = found->second;
      GateInputs inputs(gates[g]);
      for (size_t i = 0; i < inputs.count; ++i) {
        auto [found, is_new] = next.try_emplace(inputs.planes[i], kNever);
        after_[g][i] = found->second;
        found->second = g;
      }
    }
  }
  uint32_t After(size_t gate, size_t input) const { return after_[gate][input]; }
  uint32_t OfOutput(size_t gate) const { return first_[gate]; }

 private:
  std::vector<std::array<uint32_t, kMostInputs>> after_;
  std::vector<uint32_t> first_;
};

}  // namespace

/// Straight code, so registers are given by Belady's rule: the plane whose next use is the farthest leaves.
class MachineCode::Writer : public Xbyak::CodeGenerator {
 public:
  Writer() : CodeGenerator(1 << 16, Xbyak::AutoGrow), wide_(has_wide_registers()), registers_(wide_ ? 32 : 16) {}

  size_t step_rows() const { return wide_ ? 512 : 256; }

  Function Write(std::span<const WideGate> gates, std::span<Plane> results) {
    std::ranges::fill(registers_, Register());
    register_of_.clear();
    place_of_.clear();
    free_.clear();
    results_ = own_planes_ = results.size();
    for (size_t i = 0; i < results.size(); ++i)
      if (results[i] >= kOwn) place_of_.try_emplace(results[i], static_cast<uint32_t>(i));
    const Uses uses(gates);
    Function function{getSize()};
    Xbyak::Label again;
    L(again);
    for (size_t g = 0; g < gates.size(); ++g) WriteGate(gates[g], g, uses);
    const auto step_bytes = static_cast<uint32_t>(step_rows() / 8);
    add(rdi, step_bytes);
    add(rsi, step_bytes);
    dec(rdx);
    jnz(again, T_NEAR);
    vzeroupper();
    ret();
    function.own_planes = own_planes_;
    for (auto& result : results)
      if (result >= kOwn) result = kOwn + place_of_.at(result);
    return function;
  }

 private:
  struct Register {
    Plane plane = kZeros;  ///< kZeros: none
    uint32_t next_use = kNever;
    bool in_memory = false, in_use = false;  ///< in_use: by the gate at hand
  };

  /// A gate at hand: what it reads, and the register of each plane of that, -1 for one that is read from memory.
  struct Operands {
    const WideGate& gate;
    GateInputs inputs;
    std::array<int, kMostInputs> in{-1, -1, -1};
    std::array<bool, kMostInputs> last{};  ///< nothing reads the plane after this gate

    size_t NumberOf(Plane plane) const {
      return static_cast<size_t>(std::ranges::find(inputs.planes, plane) - inputs.planes.begin());
    }
    int RegisterOf(Plane plane) const { return in[NumberOf(plane)]; }
  };

  void Store(Plane plane, int number) {
    if (wide_)
      vmovdqa64(AddressOf(plane), Xbyak::Zmm(number));
    else
      vmovdqa(AddressOf(plane), Xbyak::Ymm(number));
  }

  Xbyak::Address AddressOf(Plane plane) {
    if (plane < kOwn) return ptr[rdi + static_cast<size_t>(plane) * kPlaneBytes];
    return ptr[rsi + size_t{place_of_.at(plane)} * kPlaneBytes];
  }

  int Take() {
    auto needed_at = [](const Register& one) { return one.in_use ? 0 : one.plane == kZeros ? kNever : one.next_use; };
    auto best = std::ranges::max_element(registers_, {}, needed_at);
    auto number = static_cast<int>(best - registers_.begin());
    if (best->plane != kZeros) {
      if (!best->in_memory) {
        if (free_.empty()) free_.push_back(static_cast<uint32_t>(own_planes_++));
        place_of_[best->plane] = free_.back();
        free_.pop_back();
        Store(best->plane, number);
      }
      register_of_.erase(best->plane);
    }
    *best = {kZeros, kNever, false, true};
    return number;
  }

  void Hold(int number, Plane plane, uint32_t next_use, bool in_memory) {
    registers_[static_cast<size_t>(number)] = {plane, next_use, in_memory, true};
    register_of_[plane] = number;
  }

  int Load(Plane plane, uint32_t next_use) {
    auto number = Take();
    if (wide_)
      vmovdqa64(Xbyak::Zmm(number), AddressOf(plane));
    else
      vmovdqa(Xbyak::Ymm(number), AddressOf(plane));
    Hold(number, plane, next_use, true);
    return number;
  }

  void WriteGate(const WideGate& gate, size_t g, const Uses& uses) {
    Operands at{gate, GateInputs(gate)};
    for (size_t i = 0; i < at.inputs.count; ++i) {
      at.last[i] = uses.After(g, i) == kNever;
      auto found = register_of_.find(at.inputs.planes[i]);
      if (found == register_of_.end()) continue;
      at.in[i] = found->second;
      auto& held = registers_[static_cast<size_t>(at.in[i])];
      held.in_use = true;
      held.next_use = uses.After(g, i);
    }
    for (size_t i = 0; i < at.inputs.count; ++i)
      if (at.in[i] < 0 && !at.last[i]) at.in[i] = Load(at.inputs.planes[i], uses.After(g, i));
    const int out = wide_ ? WriteWide(at) : WriteNarrow(at);
    for (size_t i = 0; i < at.inputs.count; ++i) LetGo(at.inputs.planes[i], at.in[i], !at.last[i]);
    const bool is_result = gate.out < kOwn || place_of_.contains(gate.out);
    if (is_result) Store(gate.out, out);
    if (uses.OfOutput(g) != kNever) Hold(out, gate.out, uses.OfOutput(g), is_result);
    registers_[static_cast<size_t>(out)].in_use = false;
  }

  /// With AVX-512: one instruction; where its result stands.
  int WriteWide(Operands& at) {
    auto& in = at.in;
    const auto& inputs = at.inputs;
    size_t from_memory = 0;
    for (size_t i = 0; i < inputs.count; ++i) from_memory += in[i] < 0 ? 1 : 0;
    // The output takes the register of an input that nothing else reads.
    std::optional<size_t> first;
    for (size_t i = 0; i < inputs.count && !first; ++i)
      if (in[i] >= 0 && at.last[i]) first = i;
    for (size_t i = 0; i < inputs.count && (from_memory > 1 || (from_memory == 1 && !first)); ++i)
      if (in[i] < 0) {
        in[i] = Load(inputs.planes[i], kNever);
        if (!first) first = i;
        --from_memory;
      }
    int out = -1;
    if (first) {
      out = in[*first];
    } else {
      out = Take();
      first = 0;
      vmovdqa64(Xbyak::Zmm(out), Xbyak::Zmm(in[0]));
    }
    // Truth tables of the three operands of vpternlog (Intel's manual, VPTERNLOGD/VPTERNLOGQ).
    constexpr uint8_t kFirst = 0xf0, kSecond = 0xcc, kThird = 0xaa;
    std::array<uint8_t, kMostInputs> table{};
    table[*first] = kFirst;
    std::optional<size_t> second, third;
    for (size_t i = 0; i < inputs.count; ++i)
      if (i != *first && in[i] >= 0 && !second) table[i] = kSecond, second = i;
    for (size_t i = 0; i < inputs.count; ++i)
      if (i != *first && i != second) table[i] = kThird, third = i;
    auto truth = [&](Plane plane) -> uint32_t {
      if (is_constant(plane)) return plane == kOnes ? 0xff : 0;
      return table[at.NumberOf(plane)];
    };
    const auto& gate = at.gate;
    const auto function =
        static_cast<uint8_t>((truth(gate.select) & truth(gate.one)) | (~truth(gate.select) & truth(gate.zero)));
    const Xbyak::Zmm to(out), with(second ? in[*second] : out);
    if (third && in[*third] < 0)
      vpternlogq(to, with, AddressOf(inputs.planes[*third]), function);
    else
      vpternlogq(to, with, third ? Xbyak::Zmm(in[*third]) : to, function);
    return out;
  }

  /// With AVX2: up to three instructions, each of which reads one operand from memory at most.
  int WriteNarrow(Operands& at) {
    const Plane select = at.gate.select, zero = at.gate.zero, one = at.gate.one;
    auto in_register = [&](Plane plane) {
      auto& number = at.in[at.NumberOf(plane)];
      if (number < 0) number = Load(plane, kNever);
      return Xbyak::Ymm(number);
    };
    auto anywhere = [&](Plane plane, auto&& act) {
      if (is_constant(plane) || at.RegisterOf(plane) < 0)
        act(AddressOf(plane));
      else
        act(Xbyak::Ymm(at.RegisterOf(plane)));
    };
    auto is_free = [&](Plane plane) { return at.RegisterOf(plane) >= 0 && at.last[at.NumberOf(plane)]; };
    // A register for what is computed: of an input that is read for the last time, where writing to it early does no
    // harm.
    auto target = [&](std::initializer_list<Plane> harmless) {
      for (auto plane : harmless)
        if (is_free(plane)) return Xbyak::Ymm(at.RegisterOf(plane));
      return Xbyak::Ymm(Take());
    };
    if (zero == kOnes) {  // ~(select & ~one)
      const auto first = in_register(one == kZeros ? select : one);
      const auto to = one == kZeros ? target({select}) : target({select, one});
      if (one != kZeros) anywhere(select, [&](const Xbyak::Operand& with) { vpandn(to, first, with); });
      vpxor(to, one == kZeros ? first : to, AddressOf(kOnes));
      return to.getIdx();
    }
    if (is_constant(zero) || is_constant(one)) {
      const auto other = is_constant(zero) ? one : zero;
      const auto first = one == kZeros || at.RegisterOf(other) < 0 ? in_register(select) : in_register(other);
      const auto second = first.getIdx() == at.RegisterOf(select) ? other : select;
      const auto to = target({select, other});
      anywhere(second, [&](const Xbyak::Operand& with) {
        if (one == kOnes)
          vpor(to, first, with);
        else if (one == kZeros)
          vpandn(to, first, with);
        else
          vpand(to, first, with);
      });
      return to.getIdx();
    }
    // zero ^ (select & (zero ^ one))
    const auto first = at.RegisterOf(zero) < 0 && at.RegisterOf(one) >= 0 ? one : zero;
    const auto start = in_register(first);
    const auto to = one != select ? target({one}) : target({});
    anywhere(first == zero ? one : zero, [&](const Xbyak::Operand& with) { vpxor(to, start, with); });
    anywhere(select, [&](const Xbyak::Operand& with) { vpand(to, to, with); });
    anywhere(zero, [&](const Xbyak::Operand& with) { vpxor(to, to, with); });
    return to.getIdx();
  }

  void LetGo(Plane plane, int number, bool is_needed) {
    if (number >= 0) registers_[static_cast<size_t>(number)].in_use = false;
    if (is_needed) return;
    if (number >= 0) {
      registers_[static_cast<size_t>(number)] = {};
      register_of_.erase(plane);
    }
    auto place = place_of_.find(plane);
    if (place != place_of_.end() && place->second >= results_) free_.push_back(place->second);
  }

  const bool wide_;  ///< AVX-512, else AVX2
  std::vector<Register> registers_;
  boost::unordered_flat_map<Plane, int> register_of_;
  boost::unordered_flat_map<Plane, uint32_t> place_of_;  ///< of the tree's planes that stand in memory
  std::vector<uint32_t> free_;                           ///< places that may be used again
  size_t results_ = 0, own_planes_ = 0;
};

bool MachineCode::IsPossible() {
  static const bool may_make_code = [] {
    constexpr size_t kPage = 4096;
    void* page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return false;
    const bool may = mprotect(page, kPage, PROT_READ | PROT_EXEC) == 0;
    munmap(page, kPage);
    return may;
  }();
  return may_make_code && (has_wide_registers() || (hwy::SupportedTargets() & HWY_AVX2) != 0);
}

MachineCode::MachineCode() : writer_(std::make_unique<Writer>()) {}
MachineCode::~MachineCode() = default;

MachineCode::Function MachineCode::Add(std::span<const WideGate> gates, std::span<Plane> results) {
  return writer_->Write(gates, results);
}
size_t MachineCode::bytes() const { return writer_->getSize(); }
void MachineCode::Finish() { writer_->readyRE(); }

void MachineCode::Run(const Function& function, size_t rows, uint8_t* planes, uint8_t* own) const {
  auto run = reinterpret_cast<void (*)(uint8_t*, uint8_t*, size_t)>(
      reinterpret_cast<uintptr_t>(writer_->getCode() + function.first_byte));
  run(planes, own, rows / writer_->step_rows());
}

}  // namespace slipway::model

#else

namespace slipway::model {

class MachineCode::Writer {};
bool MachineCode::IsPossible() { return false; }
MachineCode::MachineCode() = default;
MachineCode::~MachineCode() = default;
MachineCode::Function MachineCode::Add(std::span<const WideGate>, std::span<Plane>) { return {}; }
size_t MachineCode::bytes() const { return 0; }
void MachineCode::Finish() {}
void MachineCode::Run(const Function&, size_t, uint8_t*, uint8_t*) const {}

}  // namespace slipway::model
#endif
