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
template <class Scalar>
class SupportGradient {
 public:
  using WeightedMean = mappings::WeightedMean<widened_t<Scalar>>;

  SupportGradient(Integers<Scalar> const& integers, int64_t capacity) : integers_(integers) {
    columns_.reserve(capacity);
    grads_.reserve(capacity);
  }

  void clear() { count_ = 0; }

  void add(int64_t column, Scalar grad) {
    columns_.data()[count_] = column;
    grads_.data()[count_++] = static_cast<double>(widen(grad));
  }

  // Calls visit(column, result) for each entry. slope(column) is the mapping's slope there.
  template <class Slope, class Visit>
  void for_each(Slope const& slope, Visit const& visit) const {
    int64_t const* const columns = columns_.data();
    double const* const grads = grads_.data();
    mappings::ProductScale scale;
    for (int64_t i = 0; i < count_; ++i) {
      scale.add(slope(columns[i]), slope(columns[i]) * grads[i]);
    }
    WeightedMean const weighted_mean(scale, integers_);
    typename WeightedMean::Sum sum;
    for (int64_t i = 0; i < count_; ++i) {
      sum.add(weighted_mean.term(slope(columns[i]), slope(columns[i]) * grads[i]));
    }
    auto const mean = weighted_mean.mean(sum);
    for (int64_t i = 0; i < count_; ++i) {
      double const result = slope(columns[i]) * mean.subtracted_from(grads[i]);
      visit(columns[i], narrow<Scalar>(result));
    }
  }

 private:
  Integers<Scalar> integers_;
  int64_t count_ = 0;
  Scratch<int64_t> columns_;
  Scratch<double> grads_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
