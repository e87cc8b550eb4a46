#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace slipway {

/// What the caller may do about a failure. Code decides by the kind and never reads the message.
enum class ErrorKind {
  kInvalid,           ///< fix the input
  kNotFound,          ///< name something that exists
  kConflict,          ///< somebody else changed it first: look again, then retry
  kPerhapsCommitted,  ///< the answer was lost: find out before any retry
  kUnavailable,       ///< retry later
  kDenied,            ///< not allowed
  kTooLarge,          ///< more than a limit of this process allows: raise the limit, or make it smaller
  kUnsupported,       ///< Slipway cannot do this (yet); the input may be right
  kCorrupt,           ///< stored bytes are damaged
  kIo,                ///< a disk or the network failed, or is full
  kCancelled,         ///< somebody asked for the end
  kInternal,          ///< a defect in Slipway
};

std::string_view ToString(ErrorKind kind);
/// The kind of that name; kInternal for one that is not known.
ErrorKind KindNamed(std::string_view name);

/// A failure: its kind, and a message for a person: what, where, and what to do.
struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;

  /// The same error with the path that led to it in front: "commit ml.scores: <message>".
  [[nodiscard]] Error Wrap(std::string_view context) const;
};

template <typename T = void>
using Result = std::expected<T, Error>;

using Failure = std::unexpected<Error>;

/// `return Fail(ErrorKind::kInvalid, "no column '{}'", name)`; see base/format.h for the variant that formats.
inline Failure Fail(ErrorKind kind, std::string message) { return Failure(Error{kind, std::move(message)}); }

template <typename T>
Result<T> Wrap(Result<T> result, std::string_view context) {
  if (!result) return Failure(result.error().Wrap(context));
  return result;
}

}  // namespace slipway

#define SLIPWAY_CONCAT_INNER(a, b) a##b
#define SLIPWAY_CONCAT(a, b) SLIPWAY_CONCAT_INNER(a, b)

/// Returns the error of `expr` from this function, if it has one.
#define TRY(expr)                                                           \
  do {                                                                      \
    auto&& slipway_result = (expr);                                         \
    if (!slipway_result) return ::slipway::Failure(slipway_result.error()); \
  } while (false)

/// `ASSIGN(auto table, catalog.Load(id));`: the value of `expr`, or its error returned from this function.
#define ASSIGN(declaration, ...) \
  SLIPWAY_ASSIGN_INNER(SLIPWAY_CONCAT(slipway_result_, __LINE__), declaration, __VA_ARGS__)
#define SLIPWAY_ASSIGN_INNER(name, declaration, ...)  \
  auto name = (__VA_ARGS__);                          \
  if (!name) return ::slipway::Failure(name.error()); \
  declaration = std::move(*name)
