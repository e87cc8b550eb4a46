#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::model {

/// The values of a pandas category, as a booster's file lists them: their places are the codes.
struct Categories {
  std::vector<std::string> values;  ///< numbers and booleans by their text
  bool texts = false;               ///< all of them are text
};

/// Category → code. A category is known by its text; numbers and booleans by theirs ("7", "true").
class Codes {
 public:
  double other = std::numeric_limits<double>::quiet_NaN();  ///< of values that have no code; nulls are NaN
  bool infinities_stay = false;  ///< they are no value like others: an infinity's code is itself

  /// Whether it was not there yet.
  bool Add(std::string category, double code);

  double OfText(std::string_view text) const;
  double OfNumber(int64_t number) const;
  double OfNumber(double number) const;  ///< NaN of NaN

  size_t size() const { return of_texts_.size(); }
  auto begin() const { return of_texts_.begin(); }
  auto end() const { return of_texts_.end(); }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  boost::unordered_flat_map<std::string, double, Hash, std::equal_to<>> of_texts_;
  boost::unordered_flat_map<int64_t, double> of_numbers_;  ///< of the texts that are whole numbers
};

}  // namespace slipway::model
