#include <arrow/scalar.h>
#include <arrow/type.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/format.h"
#include "expression/bind.h"
#include "expression/interval.h"

namespace slipway::expression {
namespace {

using Op = Expr::Op;

/// A function whose arguments and result have fixed types; the last `optional` arguments may be left out.
struct Signature {
  std::string_view name;
  Op op;
  SqlType result;
  std::vector<SqlType> args;
  size_t optional = 0;
};

const std::vector<Signature>& Signatures() {
  using enum SqlType;
  static const std::vector<Signature> kSignatures = {
      {"lower", Op::kLower, kString, {kString}},
      {"upper", Op::kUpper, kString, {kString}},
      {"btrim", Op::kTrim, kString, {kString}},
      {"trim", Op::kTrim, kString, {kString}},
      {"ltrim", Op::kLeftTrim, kString, {kString}},
      {"rtrim", Op::kRightTrim, kString, {kString}},
      {"length", Op::kLength, kInt, {kString}},
      {"char_length", Op::kLength, kInt, {kString}},
      {"substr", Op::kSubstring, kString, {kString, kInt, kInt}, 1},
      {"substring", Op::kSubstring, kString, {kString, kInt, kInt}, 1},
      {"floor", Op::kFloor, kDouble, {kDouble}},
      {"ceil", Op::kCeil, kDouble, {kDouble}},
      {"ceiling", Op::kCeil, kDouble, {kDouble}},
  };
  return kSignatures;
}

Result<std::string> UnitOf(const Expr& arg) {
  if (arg.op != Op::kConstant || arg.type != SqlType::kString)
    return FailAt(arg.position, "the unit must be quoted text");
  auto unit = arg.constant->ToString();
  std::ranges::transform(unit, unit.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return unit;
}

Result<Expr> BindUnitFunction(Op op, std::vector<Expr> args, int position) {
  if (args.size() != 2) return FailAt(position, "a unit and a date or timestamp are needed");
  ASSIGN(auto unit, UnitOf(args[0]));
  bool known = op == Op::kDateTrunc ? IsTruncUnit(unit) : IsExtractUnit(unit);
  if (!known) return FailAt(args[0].position, fmt::format("no unit '{}'", unit));
  ASSIGN(auto value, Coerce(std::move(args[1]), SqlType::kTimestamp));
  auto type = op == Op::kDateTrunc ? SqlType::kTimestamp : SqlType::kDouble;
  return Expr{op, type, {std::move(value)}, {}, nullptr, unit, position};
}

bool IsAggregate(std::string_view name) {
  static constexpr std::string_view kNames[] = {"count",     "sum",        "avg",      "min",     "max",
                                                "array_agg", "string_agg", "bool_and", "bool_or", "stddev",
                                                "variance",  "row_number", "rank",     "lag",     "lead"};
  return std::ranges::find(kNames, name) != std::end(kNames);
}

template <typename T>
bool ReadNumber(const std::string& text, T& value) {
  auto begin = text.data() + (text.starts_with('+') ? 1 : 0);
  auto [end, code] = std::from_chars(begin, text.data() + text.size(), value);
  return code == std::errc{} && end == text.data() + text.size();
}

std::string Trimmed(const std::string& text) {
  auto first = text.find_first_not_of(" \t\n");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

}  // namespace

Result<Expr> BindFunction(const std::string& name, std::vector<Expr> args, int position, const Scope& scope) {
  if (name == "now" && args.empty()) {
    auto micros = scope.logical_date.time_since_epoch().count();
    return Constant(SqlType::kTimestamp,
                    std::make_shared<arrow::TimestampScalar>(micros, arrow::timestamp(arrow::TimeUnit::MICRO)),
                    position);
  }
  if (name == "date_trunc") return BindUnitFunction(Op::kDateTrunc, std::move(args), position);
  if (name == "extract" || name == "date_part") return BindUnitFunction(Op::kExtract, std::move(args), position);
  if ((name == "abs" || name == "round") && !args.empty()) {
    if (args.size() != 1) return FailAt(position, fmt::format("{} takes one argument", name));
    if (args[0].type != SqlType::kInt) {
      ASSIGN(args[0], Coerce(std::move(args[0]), SqlType::kDouble));
    }
    auto type = args[0].type;
    return Expr{name == "abs" ? Op::kAbs : Op::kRound, type, std::move(args), {}, nullptr, {}, position};
  }
  for (const auto& signature : Signatures()) {
    if (signature.name != name) continue;
    if (args.size() > signature.args.size() || args.size() + signature.optional < signature.args.size())
      return FailAt(position, fmt::format("{} takes {} arguments, not {}", name, signature.args.size(), args.size()));
    for (size_t i = 0; i < args.size(); ++i) {
      ASSIGN(args[i], Coerce(std::move(args[i]), signature.args[i]));
    }
    return Expr{signature.op, signature.result, std::move(args), {}, nullptr, {}, position};
  }
  if (IsAggregate(name))
    return FailAt(position, fmt::format("{}: aggregates and window functions are not supported", name),
                  ErrorKind::kUnsupported);
  return FailAt(position, fmt::format("no function '{}'", name));
}

Result<Expr> ReadText(const std::string& text, SqlType type, int position) {
  auto word = Trimmed(text);
  auto bad = [&] { return FailAt(position, fmt::format("'{}' is no {}", text, ToString(type))); };
  switch (type) {
    case SqlType::kString: return Constant(type, arrow::MakeScalar(text), position);
    case SqlType::kInt: {
      int64_t value = 0;
      if (!ReadNumber(word, value)) return bad();
      return Constant(type, arrow::MakeScalar(value), position);
    }
    case SqlType::kDouble: {
      double value = 0;
      if (!ReadNumber(word, value)) return bad();
      return Constant(type, arrow::MakeScalar(value), position);
    }
    case SqlType::kBool: {
      std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (word == "t" || word == "true" || word == "yes" || word == "on" || word == "1")
        return Constant(type, arrow::MakeScalar(true), position);
      if (word == "f" || word == "false" || word == "no" || word == "off" || word == "0")
        return Constant(type, arrow::MakeScalar(false), position);
      return bad();
    }
    case SqlType::kDate: {
      auto day = ParseDate(word);
      if (!day) return bad();
      return Constant(
          type, std::make_shared<arrow::Date32Scalar>(static_cast<int32_t>(day->time_since_epoch().count())), position);
    }
    case SqlType::kTimestamp: {
      auto instant = ParseTimestamp(word);
      if (!instant) return bad();
      return Constant(type,
                      std::make_shared<arrow::TimestampScalar>(instant->time_since_epoch().count(),
                                                               arrow::timestamp(arrow::TimeUnit::MICRO)),
                      position);
    }
    case SqlType::kInterval: {
      auto interval = ParseInterval(word);
      if (!interval) return FailAt(position, interval.error().message);
      auto bytes = std::string(reinterpret_cast<const char*>(&*interval), sizeof *interval);
      return Constant(type, std::make_shared<arrow::BinaryScalar>(arrow::Buffer::FromString(bytes)), position);
    }
    case SqlType::kNull: return Constant(SqlType::kString, arrow::MakeScalar(text), position);
  }
  return bad();
}

}  // namespace slipway::expression
