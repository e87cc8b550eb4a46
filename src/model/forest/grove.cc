#include "model/forest/grove.h"

#include <algorithm>

namespace slipway::model {
namespace {

/// Cuts a tree into a top and subtrees of at most Grove::kPartLeaves leaves, each as large as can be.
class Cutter {
 public:
  explicit Cutter(const Tree& tree) : tree_(tree), leaves_(tree.nodes.size()) {
    // Children come after their parents in `order_`, so that leaves are counted from behind.
    std::vector<int32_t> order{0};
    for (size_t i = 0; i < order.size(); ++i)
      for (auto child : {NodeAt(order[i]).left, NodeAt(order[i]).right})
        if (child >= 0) order.push_back(child);
    for (auto node = order.rbegin(); node != order.rend(); ++node)
      leaves_[static_cast<size_t>(*node)] = LeavesOf(NodeAt(*node).left) + LeavesOf(NodeAt(*node).right);
  }

  Tree top;
  std::vector<Tree> parts;
  std::vector<uint32_t> place_of_leaf;

  void Cut() {
    place_of_leaf.resize(LeavesOf(0));
    std::vector<std::pair<int32_t, int32_t*>> open;  // a node of the tree, and where its number in the top goes
    int32_t root = 0;
    open.emplace_back(0, &root);
    top.nodes.reserve(tree_.nodes.size());  // pointers into it stay
    while (!open.empty()) {
      auto [at, number] = open.back();
      open.pop_back();
      if (LeavesOf(at) <= Grove::kPartLeaves) {
        *number = ~static_cast<int32_t>(parts.size());
        parts.push_back(PartAt(at));
        continue;
      }
      *number = static_cast<int32_t>(top.nodes.size());
      top.nodes.push_back(NodeAt(at));
      auto& node = top.nodes.back();
      open.emplace_back(NodeAt(at).left, &node.left);
      open.emplace_back(NodeAt(at).right, &node.right);
    }
  }

 private:
  const Node& NodeAt(int32_t at) const { return tree_.nodes[static_cast<size_t>(at)]; }
  size_t LeavesOf(int32_t at) const { return at < 0 ? 1 : leaves_[static_cast<size_t>(at)]; }

  /// The subtree as a tree of its own; its leaves get their places.
  Tree PartAt(int32_t root) {
    Tree part;
    auto first = static_cast<uint32_t>(parts.size() * Grove::kPartLeaves);
    uint32_t next_leaf = 0;
    std::vector<int32_t> order{root};
    auto number = [&](int32_t child) {
      if (child < 0) {
        place_of_leaf[static_cast<size_t>(~child)] = first + next_leaf;
        return ~static_cast<int32_t>(next_leaf++);
      }
      order.push_back(child);
      return static_cast<int32_t>(order.size() - 1);
    };
    if (root < 0) {
      number(root);
      return part;
    }
    for (size_t i = 0; i < order.size(); ++i) {
      auto node = NodeAt(order[i]);
      node.left = number(node.left);
      node.right = number(node.right);
      part.nodes.push_back(node);
    }
    return part;
  }

  const Tree& tree_;
  std::vector<size_t> leaves_;
};

}  // namespace

Grove Grove::Of(const Tree& tree, const Ranks& ranks, Columns<uint8_t>& columns, std::vector<uint8_t>& tables) {
  Grove grove;
  if (tree.nodes.size() >= kMostLeaves) return grove;
  Cutter cutter(tree);
  cutter.Cut();
  if (cutter.parts.size() > kMostProgramLeaves || cutter.top.nodes.empty()) return grove;
  grove.place_of_leaf_ = std::move(cutter.place_of_leaf);
  grove.top_ = ProgramOf(cutter.top, ranks, columns, tables);
  for (const auto& part : cutter.parts)
    grove.parts_.push_back(part.nodes.empty() ? std::vector<Step>() : ProgramOf(part, ranks, columns, tables));
  return grove;
}

void Grove::Places(const StepMemory& memory, size_t rows, uint8_t* results, uint32_t* places) const {
  for (size_t part = 0; part < parts_.size(); ++part) {
    auto* result = results + part * memory.stride;
    if (parts_[part].empty())
      std::fill_n(result, rows, uint8_t{0});
    else
      std::copy_n(RunSteps(parts_[part].data(), parts_[part].size(), memory, rows), rows, result);
  }
  const auto* part_of = RunSteps(top_.data(), top_.size(), memory, rows);
  for (size_t row = 0; row < rows; ++row)
    places[row] = part_of[row] * static_cast<uint32_t>(kPartLeaves) + results[part_of[row] * memory.stride + row];
}

}  // namespace slipway::model
