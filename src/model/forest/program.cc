#include "model/forest/program.h"

#include <algorithm>
#include <tuple>

namespace slipway::model {
namespace {

class Compiler {
 public:
  Compiler(const Tree& tree, const Ranks& ranks, Columns<uint8_t>& columns, std::vector<uint8_t>& tables)
      : tree_(tree), ranks_(ranks), columns_(columns), tables_(tables), needs_(tree.nodes.size()) {
    for (size_t slot = kSlots; slot-- > 0;) free_.push_back(static_cast<uint8_t>(slot));
  }

  std::vector<Step> Compile() {
    Emit(0);
    return std::move(steps_);
  }

 private:
  /// How many slots a subtree needs at once (Sethi and Ullman): the hungrier child is evaluated first.
  int Need(int node) {
    if (node < 0) return 0;
    auto& need = needs_[static_cast<size_t>(node)];
    if (need == 0) {
      const auto& n = tree_.nodes[static_cast<size_t>(node)];
      int left = Need(n.left), right = Need(n.right);
      need = std::max({1, left == right ? left + 1 : std::max(left, right)});
    }
    return need;
  }

  /// Appends the steps of a subtree; the slot that holds which leaf each row reaches.
  uint8_t Emit(int index) {
    const auto& node = tree_.nodes[static_cast<size_t>(index)];
    Step step;
    Test(node.split, step);
    auto child = [&](int to, bool& is_leaf, uint8_t& value) {
      is_leaf = to < 0;
      value = is_leaf ? static_cast<uint8_t>(~to) : Emit(to);
    };
    if (Need(node.left) >= Need(node.right)) {
      child(node.left, step.left_is_leaf, step.left);
      child(node.right, step.right_is_leaf, step.right);
    } else {
      child(node.right, step.right_is_leaf, step.right);
      child(node.left, step.left_is_leaf, step.left);
    }
    if (!step.left_is_leaf) free_.push_back(step.left);
    if (!step.right_is_leaf) free_.push_back(step.right);
    step.out = free_.back();
    free_.pop_back();
    steps_.push_back(step);
    return step.out;
  }

  void Test(const Split& split, Step& step) {
    if (split.categories < 0) {
      auto place = columns_.OfOrder(split);
      step.column = place.column;
      step.threshold = place.threshold;
      return;
    }
    step.column = columns_.OfCategories(split.feature);
    step.pages = static_cast<uint16_t>((ranks_.Count(split.feature) + 255) / 256);
    step.set = static_cast<uint32_t>(tables_.size());
    tables_.resize(tables_.size() + size_t{32} * step.pages);
    for (auto rank : ranks_.OfCategories(split)) tables_[step.set + rank / 8] |= static_cast<uint8_t>(1u << rank % 8);
  }

  const Tree& tree_;
  const Ranks& ranks_;
  Columns<uint8_t>& columns_;
  std::vector<uint8_t>& tables_;
  std::vector<int> needs_;
  std::vector<uint8_t> free_;
  std::vector<Step> steps_;
};

}  // namespace

std::vector<Step> ProgramOf(const Tree& tree, const Ranks& ranks, Columns<uint8_t>& columns, std::vector<uint8_t>& tables) {
  return Compiler(tree, ranks, columns, tables).Compile();
}

}  // namespace slipway::model
