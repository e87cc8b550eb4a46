#pragma once

#include <memory>
#include <vector>

#include "model/forest/ensemble.h"
#include "model/forest/ranks.h"

namespace slipway::model {

/// An ensemble made ready for many rows at once: see README.md. Thread-safe.
class Forest {
  struct Parts;

 public:
  /// `ensemble` has passed Check. A large one is compiled on a thread of its own: Sum and shape wait for it.
  /// kUnsupported: a feature with more than 65,534 categories.
  static Result<Forest> Compile(Ensemble ensemble);
  Forest(Forest&&) noexcept;
  Forest& operator=(Forest&&) noexcept;
  ~Forest();

  /// Room for a block, of one caller at a time; the forest, which must live longer, keeps it for the next one.
  class Scratch;
  struct GiveBack {
    Parts* parts = nullptr;
    void operator()(Scratch* scratch) const;
  };
  std::unique_ptr<Scratch, GiveBack> TakeScratch() const;

  /// The most rows of one call of Sum.
  size_t block() const;
  /// Sums of up to block() rows: `features[f]` are those of feature f, `sums` is `[outputs, stride]`. Doubles hold
  /// every float.
  void Sum(const std::vector<Values>& features, size_t rows, Scratch& scratch, double* sums, size_t stride) const;

  /// Of the ensemble all but nodes and leaves, which are compiled.
  const Ensemble& ensemble() const;

  /// The thresholds of a feature, or the categories that its splits name.
  std::vector<double> DecidesBy(uint32_t feature) const;

  struct Shape {
    size_t trees = 0, leaves = 0, most_leaves = 0, thresholds = 0, columns = 0, gates = 0, planes = 0, code_bytes = 0;
  };
  const Shape& shape() const;

 private:
  explicit Forest(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::model
