#pragma once

#include <cstdint>

#include "mappings/weighted_mean.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/float16.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The integers that sums over a row of gradients are made of.
template <class Scalar>
using Integers = typename mappings::WeightedMean<widened_t<Scalar>>::Integers;

// The gradient of one row on a support of few entries.
template <template <class> class MappingOf, class Scalar>
class SupportGradient {
 public:
  using WeightedMean = mappings::WeightedMean<widened_t<Scalar>>;
  using Slope = typename MappingOf<widened_t<Scalar>>::Slope;

  SupportGradient(Integers<Scalar> const& integers, int64_t capacity) : integers_(integers) {
    columns_.reserve(capacity);
    grads_.reserve(capacity);
    if constexpr (!Slope::kIsConstant) slopes_.reserve(capacity);
  }

  void clear() { count_ = 0; }

  // Takes an entry with a weight other than 0. A slope that is constant is not read.
  void add(int64_t column, Scalar grad, double slope) {
    if constexpr (!Slope::kIsConstant) {
      if (slope == 0) return;  // The result is 0, whatever the gradient is.
      slopes_.data()[count_] = slope;
    }
    columns_.data()[count_] = column;
    grads_.data()[count_++] = static_cast<double>(widen(grad));
  }

  // Calls visit(column, result) for each entry whose result may be other than 0.
  template <class Visit>
  void for_each(Visit const& visit) const {
    int64_t const* const columns = columns_.data();
    double const* const grads = grads_.data();
    mappings::ProductScale scale;
    for (int64_t i = 0; i < count_; ++i) scale.add(slope(i), slope(i) * grads[i]);
    WeightedMean const weighted_mean(scale, integers_);
    typename WeightedMean::Sum sum;
    for (int64_t i = 0; i < count_; ++i) {
      sum.add(weighted_mean.term(slope(i), slope(i) * grads[i]));
    }
    auto const mean = weighted_mean.mean(sum);
    for (int64_t i = 0; i < count_; ++i) {
      double const result = slope(i) * mean.subtracted_from(grads[i]);
      visit(columns[i], narrow<Scalar>(result));
    }
  }

 private:
  double slope(int64_t i) const {
    if constexpr (Slope::kIsConstant) {
      return 1;
    } else {
      return slopes_.data()[i];
    }
  }

  Integers<Scalar> integers_;
  int64_t count_ = 0;
  Scratch<int64_t> columns_;
  Scratch<double> grads_;
  Scratch<double> slopes_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
