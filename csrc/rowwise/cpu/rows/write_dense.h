#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cpu/rows/support.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

// Writes rows in which many entries are not zero.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps the entries of one row, given its support, to weights, in order and piece by piece.
template <class Mapping, class Scalar>
class DenseRow {
 public:
  using Real = widened_t<Scalar>;

  DenseRow(Mapping const& mapping, Support<Mapping, Real> const& support)
      : mapping_(mapping), support_(support), bound_(support.smallest), ties_(support.ties) {}

  void write(Real const* logits, Scalar* weights, int64_t count) {
    int64_t column = 0;
    if (support_.is_capped) {
      for (; column + kStep <= count; column += kStep) {
        write_vector(*this, logits + column, weights + column);
        leave_out_ties(logits + column, weights + column);
      }
    } else {
      // This is a copy, which no store to the weights can change.
      DenseRow const row = *this;
      for (; column + kStep <= count; column += kStep) {
        write_vector(row, logits + column, weights + column);
      }
    }
    if (column == count) return;
    alignas(kVectorBytes) Real rest[kStep];
    alignas(kVectorBytes) Scalar rest_weights[kStep];
    std::fill_n(rest, kStep, -std::numeric_limits<Real>::infinity());
    std::copy_n(logits + column, count - column, rest);
    write_vector(*this, rest, rest_weights);
    if (support_.is_capped) leave_out_ties(rest, rest_weights);
    std::copy_n(rest_weights, count - column, weights + column);
  }

 private:
  static constexpr int64_t kStep = kLanes<Real>;

  static void write_vector(DenseRow const& row, Real const* logits, Scalar* weights) {
    if constexpr (kHasSearch<Mapping>) {
      write_searched(row, logits, weights);
    } else if constexpr (std::is_same_v<Real, double>) {
      for (int lane = 0; lane < kStep; ++lane) {
        double const logit = logits[lane];
        // Only logits at or above the lower bound have a term.
        auto const term = row.mapping_.term(std::max(logit, row.mapping_.lower_bound()));
        auto const weight = row.mapping_.weight(term, row.support_.threshold);
        weights[lane] = logit >= row.bound_ ? weight : 0;
      }
    } else {
      write_doubles(row, load<float>(logits), weights,
                    [](Doubles x, Scalar* destination) { narrow_doubles(x, destination); });
    }
  }

  // This is not inlined, like sum_at().
  [[gnu::noinline]] static void write_searched(DenseRow const& row, Real const* logits,
                                               Scalar* weights) {
    write_doubles(row, load<Real>(logits), weights, [](Doubles x, Scalar* destination) {
      narrow_weights_of_any_size(x, destination);
    });
  }

  template <class Narrow>
  static void write_doubles(DenseRow const& row, Vector<Real> logits, Scalar* weights,
                            Narrow const& narrow_all) {
    int first = 0;
    auto const write = [&](Doubles z) {
      auto const weight = row.mapping_.weights(row.mapping_.terms(z), row.support_.threshold);
      narrow_all(z >= static_cast<double>(row.bound_) ? weight : Doubles{}, weights + first);
      first += kLanes<double>;
    };
    if constexpr (std::is_same_v<Real, double>) {
      write(logits);
    } else {
      for_each_half(logits, write);
    }
  }

  // Of the entries that equal the smallest one of the support, only the first keep their weights.
  void leave_out_ties(Real const* logits, Scalar* weights) {
    if (bound_ != support_.smallest) return;
    auto const is_tie = load<Real>(logits) == support_.smallest;
    ties_ += sum_of_lanes<key_t<Real>>(is_tie);
    if (ties_ >= 0) return;
    // The last ties of this vector lose their weights, and the raised bound leaves out all after
    // it.
    for (int64_t lane = kStep - 1; ties_ < 0; --lane) {
      if (!is_tie[lane]) continue;
      weights[lane] = Scalar{};
      ++ties_;
    }
    bound_ = scalar_of<Real>(key_after(support_.smallest));
  }

  Mapping mapping_;
  Support<Mapping, Real> support_;
  Real bound_;
  int64_t ties_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
