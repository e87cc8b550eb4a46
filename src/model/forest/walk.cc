#include "model/forest/walk.h"

#include <algorithm>
#include <array>

namespace slipway::model {
namespace {

constexpr size_t kTogether = 8;  // rows whose steps are interleaved: a row's next step waits for its last

}  // namespace

Walk::Walk(const Tree& tree, const Ranks& ranks, Columns& columns, std::vector<uint8_t>& tables) {
  places_.resize(1);
  leaf_of_.resize(1);
  std::vector<std::pair<int32_t, uint32_t>> open{{tree.nodes.empty() ? ~0 : 0, 0}};
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
      has_categories_ = true;
      places_[place] = {columns.OfCategories(node.split.feature), 1, children, ranks.AppendSet(node.split, tables)};
    }
    places_.resize(places_.size() + 2);
    leaf_of_.resize(places_.size());
    open.emplace_back(node.left, children);
    open.emplace_back(node.right, children + 1);
  }
}

void Walk::Renumber(const std::vector<uint16_t>& leaf_of_number) {
  std::vector<uint32_t> number_of_leaf(leaf_of_number.size());
  for (uint32_t number = 0; number < leaf_of_number.size(); ++number) number_of_leaf[leaf_of_number[number]] = number;
  for (auto& leaf : leaf_of_) leaf = number_of_leaf[leaf];
}

template <bool kCategories>
void Walk::LeavesOf(const uint16_t* rows_of_ranks, size_t columns, size_t rows, const uint8_t* tables, uint32_t* leaves) const {
  const Place* places = places_.data();
  for (size_t first = 0; first < rows; first += kTogether) {
    const size_t count = std::min(kTogether, rows - first);
    std::array<uint32_t, kTogether> at{};
    std::array<const uint16_t*, kTogether> row{};
    for (size_t i = 0; i < kTogether; ++i) row[i] = rows_of_ranks + (first + std::min(i, count - 1)) * columns;
    for (uint32_t moved = 1; moved != 0;) {
      moved = 0;
      for (size_t i = 0; i < kTogether; ++i) {
        const auto& place = places[at[i]];
        const uint32_t rank = row[i][place.column];
        uint32_t right = rank > place.threshold;
        if (kCategories && place.is_category != 0) right = ((tables[place.threshold + rank / 8] >> rank % 8) & 1u) ^ 1u;
        const uint32_t next = place.left + right;
        moved |= next ^ at[i];
        at[i] = next;
      }
    }
    for (size_t i = 0; i < count; ++i) leaves[first + i] = leaf_of_[at[i]];
  }
}

void Walk::Leaves(const uint16_t* rows_of_ranks, size_t columns, size_t rows, const uint8_t* tables, uint32_t* leaves) const {
  if (has_categories_)
    LeavesOf<true>(rows_of_ranks, columns, rows, tables, leaves);
  else
    LeavesOf<false>(rows_of_ranks, columns, rows, tables, leaves);
}

}  // namespace slipway::model
