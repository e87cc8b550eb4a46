#include "model/forest/codes.h"

#include <charconv>
#include <cmath>
#include <utility>

#include "base/format.h"

namespace slipway::model {

bool Codes::Add(std::string category, double code) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(category.data(), category.data() + category.size(), number);
  if (error == std::errc() && fmt::to_string(number) == category) of_numbers_.emplace(number, code);
  return of_texts_.emplace(std::move(category), code).second;
}

double Codes::OfText(std::string_view text) const {
  auto found = of_texts_.find(text);
  return found == of_texts_.end() ? other : found->second;
}

double Codes::OfNumber(int64_t number) const {
  auto found = of_numbers_.find(number);
  return found == of_numbers_.end() ? other : found->second;
}

double Codes::OfNumber(double number) const {
  constexpr double kWhole = 1e15;  // below it fmt writes whole doubles as it writes integers
  if (std::isnan(number) || (infinities_stay && std::isinf(number))) return number;
  if (std::fabs(number) < kWhole && number == std::trunc(number)) return OfNumber(static_cast<int64_t>(number));
  return OfText(fmt::to_string(number));
}

}  // namespace slipway::model
