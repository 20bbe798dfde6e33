#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/transpose.h"
#include "rowwise/cpu/vector.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

// Several rows at once, one in each lane of a vector, for small k: no step depends on how a row's
// entries lie, so short rows cost no branches.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

inline constexpr int kMostLargest = 4;

// The k largest entries of as many rows as there are lanes, larger first, lower columns first among
// equals.
template <class Real, int K>
struct Largest {
  using Index = key_t<Real>;

  Vector<Real> logits[K];
  Vector<Index> columns[K];
  Vector<Index> has_nan;

  Largest() : has_nan{} {
    std::fill_n(logits, K, broadcast<Real>(-static_cast<Real>(INFINITY)));
    std::fill_n(columns, K, Vector<Index>{});
  }

  void add(Vector<Real> logit, Index column) {
    has_nan |= logit != logit;
    auto const index = broadcast<Index>(column);
#pragma GCC unroll 4
    for (int i = K - 1; i >= 0; --i) {
      auto const goes_before = logit > logits[i];
      if (i == 0) {
        logits[0] = goes_before ? logit : logits[0];
        columns[0] = goes_before ? index : columns[0];
      } else {
        auto const makes_room = logit > logits[i - 1];
        auto const moved_logit = makes_room ? logits[i - 1] : logit;
        auto const moved_column = makes_room ? columns[i - 1] : index;
        logits[i] = goes_before ? moved_logit : logits[i];
        columns[i] = goes_before ? moved_column : columns[i];
      }
    }
  }
};

template <class Real, int K>
struct LaneWeights {
  static constexpr int kRows = kLanes<Real>;

  double weights[K][kRows];
  bool is_ordinary[kRows];
};

// From the largest entries to their weights. The lanes are independent, so that compilers can turn
// the loop over them into vectors.
template <class Mapping, class Real, int K>
inline LaneWeights<Real, K> weigh(Largest<Real, K> const& largest,
                                  typename Mapping::Fixed const& fixed) {
  constexpr int kRows = kLanes<Real>;
  Real logits[K][kRows];
  for (int i = 0; i < K; ++i) store(logits[i], largest.logits[i]);
  LaneWeights<Real, K> result;
  for (int row = 0; row < kRows; ++row) {
    Real const maximum = logits[0][row];
    bool const is_ordinary = largest.has_nan[row] == 0 && maximum - maximum == 0;
    result.is_ordinary[row] = is_ordinary;
    Mapping const mapping(is_ordinary ? maximum : 0, fixed);
    typename Mapping::Term terms[K];
    typename Mapping::Sum sum;
    auto threshold = mapping.lowest_threshold();
    bool in_support = is_ordinary;
    bool is_kept[K];
    for (int i = 0; i < K; ++i) {
      Real const logit = logits[i][row];
      in_support = in_support && logit >= mapping.lower_bound();
      terms[i] = mapping.term(in_support ? logit : mapping.lower_bound());
      auto longer_sum = sum;
      longer_sum.add(terms[i]);
      auto const longer_threshold = mapping.threshold(longer_sum);
      in_support = in_support && mapping.is_above(terms[i], longer_threshold);
      is_kept[i] = in_support;
      sum = in_support ? longer_sum : sum;
      threshold = in_support ? longer_threshold : threshold;
    }
    for (int i = 0; i < K; ++i) {
      result.weights[i][row] = is_kept[i] ? mapping.weight(terms[i], threshold) : 0;
    }
  }
  return result;
}

// Contiguous rows that follow each other without a gap, as many as there are lanes.
template <template <class> class MappingOf, class Scalar, int K>
class LaneForward {
 public:
  using Real = widened_t<Scalar>;
  using Mapping = MappingOf<Real>;
  static constexpr int kRows = kLanes<Real>;

  explicit LaneForward(int64_t length) : length_(length), fixed_(length) {
    if constexpr (!std::is_same_v<Scalar, Real>) widened_.reserve(kRows * length);
  }

  void operator()(Scalar const* logits, Scalar* weights) {
    auto const largest = find_largest(widen_rows(logits));
    auto const lanes = weigh<Mapping>(largest, fixed_);
    std::fill_n(weights, kRows * length_, Scalar{});
    for (int i = 0; i < K; ++i) {
      for (int row = 0; row < kRows; ++row) {
        double const weight = lanes.weights[i][row];
        // An entry without weight may name the same column as another.
        if (weight != 0) weights[row * length_ + largest.columns[i][row]] = narrow<Scalar>(weight);
      }
    }
    for (int row = 0; row < kRows; ++row) {
      if (lanes.is_ordinary[row]) continue;
      std::fill_n(weights + row * length_, length_, narrow<Scalar>(NAN));
    }
  }

 private:
  Real const* widen_rows(Scalar const* logits) {
    if constexpr (std::is_same_v<Scalar, Real>) {
      return logits;
    } else {
      Real* const widened = widened_.data();
      for (int64_t i = 0; i < kRows * length_; ++i) widened[i] = widen(logits[i]);
      return widened;
    }
  }

  Largest<Real, K> find_largest(Real const* rows) const {
    Largest<Real, K> largest;
    int64_t column = 0;
    for (; column + kRows <= length_; column += kRows) {
      Vector<Real> square[kRows];
      for (int row = 0; row < kRows; ++row) square[row] = load<Real>(rows + row * length_ + column);
      transpose<Real>(square);
      for (int i = 0; i < kRows; ++i) largest.add(square[i], column + i);
    }
    for (; column < length_; ++column) {
      Vector<Real> logit;
      for (int row = 0; row < kRows; ++row) logit[row] = rows[row * length_ + column];
      largest.add(logit, column);
    }
    return largest;
  }

  int64_t length_;
  typename Mapping::Fixed fixed_;
  Scratch<Real> widened_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
