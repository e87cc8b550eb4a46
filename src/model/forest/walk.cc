#include "model/forest/walk.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace slipway::model {
namespace {

constexpr size_t kTogether = 8;  // walks whose steps are interleaved: each next step waits for the last

}  // namespace

void Walks::Add(const Tree& tree, const Ranks& ranks, Columns& columns) {
  auto root = static_cast<uint32_t>(places_.size());
  roots_.push_back(root);
  places_.resize(root + 1);
  leaf_of_.resize(root + 1);
  std::vector<std::pair<int32_t, uint32_t>> open{{tree.nodes.empty() ? ~0 : 0, root}};
  for (size_t next = 0; next < open.size(); ++next) {
    auto [at, place] = open[next];
    if (at < 0) {
      places_[place] = {0, 0, place, Columns::kSpan + 1};
      leaf_of_[place] = static_cast<uint32_t>(~at);
      continue;
    }
    const auto& node = tree.nodes[static_cast<size_t>(at)];
    auto children = static_cast<uint32_t>(places_.size());
    if (node.split.categories < 0) {
      auto [column, threshold] = columns.OfOrder(node.split);
      places_[place] = {column, 0, children, threshold};
    } else {
      places_[place] = {columns.OfCategories(node.split.feature), 1, children, ranks.AppendSet(node.split, tables_)};
    }
    places_.resize(places_.size() + 2);
    leaf_of_.resize(places_.size());
    open.emplace_back(node.left, children);
    open.emplace_back(node.right, children + 1);
  }
}

void Walks::Renumber(const std::vector<uint16_t>& leaf_of_number) {
  std::vector<uint32_t> number_of_leaf(leaf_of_number.size());
  for (uint32_t number = 0; number < leaf_of_number.size(); ++number) number_of_leaf[leaf_of_number[number]] = number;
  for (size_t place = roots_.back(); place < places_.size(); ++place)
    if (places_[place].left == place) leaf_of_[place] = number_of_leaf[leaf_of_[place]];
}

template <bool kCategories>
inline uint32_t Walks::Next(uint32_t at, const uint16_t* ranks) const {
  const auto& place = places_[at];
  const uint32_t rank = ranks[place.column];
  uint32_t right = rank > place.threshold;
  if (kCategories && place.is_category != 0) right = ((tables_[place.threshold + rank / 8] >> rank % 8) & 1u) ^ 1u;
  return place.left + right;
}

/// `count` walks, several at a time: start(i) is where one starts and what row it is, reached(i, leaf) where it ends.
template <bool kCategories, typename Start, typename Reached>
void Walks::Together(size_t count, Start&& start, Reached&& reached) const {
  for (size_t first = 0; first < count; first += kTogether) {
    const size_t now = std::min(kTogether, count - first);
    std::array<uint32_t, kTogether> at{};
    std::array<const uint16_t*, kTogether> row{};
    for (size_t i = 0; i < kTogether; ++i) std::tie(at[i], row[i]) = start(first + std::min(i, now - 1));
    for (uint32_t moved = 1; moved != 0;) {
      moved = 0;
      for (size_t i = 0; i < kTogether; ++i) {
        const auto next = Next<kCategories>(at[i], row[i]);
        moved |= next ^ at[i];
        at[i] = next;
      }
    }
    for (size_t i = 0; i < now; ++i) reached(first + i, leaf_of_[at[i]]);
  }
}

void Walks::Leaves(size_t tree, const uint16_t* ranks, size_t columns, size_t rows, uint32_t* leaves) const {
  auto start = [&](size_t row) { return std::pair(roots_[tree], ranks + row * columns); };
  auto reached = [&](size_t row, uint32_t leaf) { leaves[row] = leaf; };
  tables_.empty() ? Together<false>(rows, start, reached) : Together<true>(rows, start, reached);
}

void Walks::LeavesOfAll(const uint16_t* ranks, uint32_t* leaves, size_t stride) const {
  auto start = [&](size_t tree) { return std::pair(roots_[tree], ranks); };
  auto reached = [&](size_t tree, uint32_t leaf) { leaves[tree * stride] = leaf; };
  tables_.empty() ? Together<false>(roots_.size(), start, reached) : Together<true>(roots_.size(), start, reached);
}

}  // namespace slipway::model
