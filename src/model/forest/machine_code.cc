#include "model/forest/machine_code.h"

#include "model/forest/kernels.h"

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
constexpr size_t kRegisters = 32, kMostInputs = 3;

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
  Writer() : CodeGenerator(1 << 16, Xbyak::AutoGrow) {}

  Function Write(std::span<const WideGate> gates, std::span<Plane> results) {
    registers_.fill({});
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
    add(rdi, kStepBytes);
    add(rsi, kStepBytes);
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
  static constexpr uint32_t kStepBytes = kRowStep / 8;
  struct Register {
    Plane plane = kZeros;  ///< kZeros: none
    uint32_t next_use = kNever;
    bool in_memory = false, in_use = false;  ///< in_use: by the gate at hand
  };

  Xbyak::Address AddressOf(Plane plane) {
    if (plane < kOwn) return ptr[rdi + static_cast<size_t>(plane) * kPlaneBytes];
    return ptr[rsi + size_t{place_of_.at(plane)} * kPlaneBytes];
  }

  int Take() {
    auto worth = [](const Register& one) { return one.in_use ? 0 : one.plane == kZeros ? kNever : one.next_use; };
    auto best = std::ranges::max_element(registers_, {}, worth);
    auto number = static_cast<int>(best - registers_.begin());
    if (best->plane != kZeros) {
      if (!best->in_memory) {
        if (free_.empty()) free_.push_back(static_cast<uint32_t>(own_planes_++));
        place_of_[best->plane] = free_.back();
        free_.pop_back();
        vmovdqa64(AddressOf(best->plane), Xbyak::Zmm(number));
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
    vmovdqa64(Xbyak::Zmm(number), AddressOf(plane));
    Hold(number, plane, next_use, true);
    return number;
  }

  void WriteGate(const WideGate& gate, size_t g, const Uses& uses) {
    const GateInputs inputs(gate);
    std::array<int, kMostInputs> in{-1, -1, -1};  // the registers; -1: read from memory
    for (size_t i = 0; i < inputs.count; ++i) {
      auto found = register_of_.find(inputs.planes[i]);
      if (found == register_of_.end()) continue;
      in[i] = found->second;
      auto& held = registers_[static_cast<size_t>(in[i])];
      held.in_use = true;
      held.next_use = uses.After(g, i);
    }
    size_t from_memory = 0;
    for (size_t i = 0; i < inputs.count; ++i)
      if (in[i] < 0 && uses.After(g, i) != kNever)
        in[i] = Load(inputs.planes[i], uses.After(g, i));
      else
        from_memory += in[i] < 0 ? 1 : 0;
    // The output takes the register of an input that nothing else reads.
    std::optional<size_t> first;
    for (size_t i = 0; i < inputs.count && !first; ++i)
      if (in[i] >= 0 && uses.After(g, i) == kNever) first = i;
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
      return table[static_cast<size_t>(std::ranges::find(inputs.planes, plane) - inputs.planes.begin())];
    };
    const auto function = static_cast<uint8_t>((truth(gate.select) & truth(gate.one)) | (~truth(gate.select) & truth(gate.zero)));
    const Xbyak::Zmm to(out), with(second ? in[*second] : out);
    if (third && in[*third] < 0)
      vpternlogq(to, with, AddressOf(inputs.planes[*third]), function);
    else
      vpternlogq(to, with, third ? Xbyak::Zmm(in[*third]) : to, function);
    for (size_t i = 0; i < inputs.count; ++i) LetGo(inputs.planes[i], in[i], uses.After(g, i) != kNever);
    const bool is_result = gate.out < kOwn || place_of_.contains(gate.out);
    if (is_result) vmovdqa64(AddressOf(gate.out), to);
    if (uses.OfOutput(g) != kNever) Hold(out, gate.out, uses.OfOutput(g), is_result);
    registers_[static_cast<size_t>(out)].in_use = false;
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

  std::array<Register, kRegisters> registers_;
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
  return may_make_code && (hwy::SupportedTargets() & (HWY_AVX3 | HWY_AVX3_DL)) != 0;
}

MachineCode::MachineCode() : writer_(std::make_unique<Writer>()) {}
MachineCode::~MachineCode() = default;

MachineCode::Function MachineCode::Add(std::span<const WideGate> gates, std::span<Plane> results) { return writer_->Write(gates, results); }
size_t MachineCode::bytes() const { return writer_->getSize(); }
void MachineCode::Finish() { writer_->readyRE(); }

void MachineCode::Run(const Function& function, size_t rows, uint8_t* planes, uint8_t* own) const {
  auto run = reinterpret_cast<void (*)(uint8_t*, uint8_t*, size_t)>(reinterpret_cast<uintptr_t>(writer_->getCode() + function.first_byte));
  run(planes, own, rows / kRowStep);
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
