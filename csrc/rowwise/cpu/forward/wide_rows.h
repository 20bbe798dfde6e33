#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "mappings/short_terms.h"
#include "rowwise/cpu/lanes/largest_terms.h"
#include "rowwise/cpu/lanes/limits.h"
#include "rowwise/cpu/rows/row_vectors.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/transpose.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Lane i of the result is the sum of the lanes of vectors[i].
template <class Element>
[[gnu::always_inline]] inline Vector<Element> sums_of_lanes(
    Vector<Element> (&vectors)[kLanes<Element>]) {
  transpose_square<Element>(vectors);
  auto sum = vectors[0];
  for (int i = 1; i < kLanes<Element>; ++i) sum += vectors[i];
  return sum;
}

// Maps as many rows of a half type as a vector has floats, if many of their entries are in the
// support. There are no lists but passes along each row, and the thresholds of all rows are the
// lanes of a vector.
template <class Mapping, class Scalar>
class WideRows {
 public:
  static constexpr int kRows = kLanes<float>;
  WideRows(RowVectors<Scalar>& rows, int32_t k) : rows_(rows), k_(k), step_(rows.count() * kCount) {
    terms_.reserve(kRows * step_);
  }

  // Finds the supports, given thresholds that are not above theirs, relative to the maxima. A
  // maximum of NaN stands for a row without a support.
  void find(Scalar const* logits, Floats maxima, Floats lowest) {
    maxima_ = maxima;
    is_valid_ = maxima == maxima;
    lowest = is_valid_ ? lowest - kMargin : Floats{};
    wide_ = Wide(-smallest_of_lanes<float>(lowest));
    find_fine_rows(logits, maxima + lowest);
    load(logits);
    floors_ = is_valid_ ? wide_.template in_units<Keys>(lowest) - 1 : Keys{} + Wide::kHighest;
    counts_ = Keys{};
    while (any_lane(pass())) {
    }
    // If only k of the entries above a threshold are kept, their threshold is lower, so all k are
    // in the support.
    uint64_t const too_large = lanes_at_least<int32_t>(counts_, Keys{} + (k_ + 1));
    if (too_large == 0) return;
    for_each_lane(too_large, [&](int row) {
      Keys* const terms = terms_of(row);
      keep_largest_terms<Scalar>(terms, terms + 2 * rows_.count(), k_,
                                 {floors_[row], counts_[row]});
    });
    pass();
  }

  // How many entries the largest support has.
  int32_t most() const { return largest_of_lanes<int32_t>(counts_); }

  // The rows with candidates that have no exact term, as a bit mask. write() leaves them out.
  uint64_t fine_rows() const { return fine_rows_; }

  // Writes a row in whole vectors, the last of which extends beyond it.
  template <bool Streams>
  void write(int row, Scalar* weights, RowAhead<Scalar> ahead) const {
    if ((fine_rows_ >> row & 1U) != 0) return;
    Keys const* const terms = terms_of(row);
    int32_t const floor = floors_[row];
    double const fraction = fractions_[row];
    bool const is_large =
        std::is_same_v<Scalar, BFloat16> && counts_[row] > mappings::ShortTerms::kMost;
    four_by_four(rows_.count(), [&](int64_t i) {
      ahead.prefetch(i);
      auto bits = weigh(terms + 2 * i, floor, static_cast<float>(fraction));
      if (is_large) weigh_few(terms + 2 * i, floor, fraction, bits);
      Scalar* const to = weights + i * kCount;
      Streams ? stream(to, bits) : store(to, bits);
    });
  }

 private:
  using Wide = typename Mapping::WideTerms;
  static constexpr int kCount = kLanes<int16_t>;  // entries in a vector
  static constexpr int kSummed = 64;              // terms of a lane whose sum is within 2^31
  static constexpr float kMargin = 0x1p-20F;      // more than the roundings of thresholds in float

  Keys* terms_of(int row) { return reinterpret_cast<Keys*>(terms_.data() + row * step_); }
  Keys const* terms_of(int row) const {
    return reinterpret_cast<Keys const*>(terms_.data() + row * step_);
  }

  void load(Scalar const* logits) {
    for (int row = 0; row < kRows; ++row) {
      Scalar const* const entries = logits + row * rows_.length();
      Keys* const terms = terms_of(row);
      float const maximum = maxima_[row];
      auto const put = [&](int64_t i, Vector<uint16_t> bits) {
        terms[2 * i] = wide_.template terms<Keys>(part_of<Scalar, 0>(bits), maximum);
        terms[2 * i + 1] = wide_.template terms<Keys>(part_of<Scalar, 1>(bits), maximum);
      };
      int64_t const whole = rows_.whole() / kCount;
      four_by_four(whole, [&](int64_t i) {
        put(i, cpu::ZETA_CAPABILITY::load<uint16_t>(entries + i * kCount));
      });
      if (rows_.has_rest()) put(whole, rest_bits(entries));
    }
  }

  Vector<uint16_t> rest_bits(Scalar const* entries) {
    auto const is_of_row = first_lanes<int16_t>(rows_.length() - rows_.whole());
    auto const bits = load_as<Vector<uint16_t>>(rows_.rest_of(entries));
    auto const lowest = Vector<uint16_t>{} + narrow<Scalar>(-static_cast<double>(INFINITY)).bits;
    return is_of_row ? bits : lowest;
  }

  // Replaces the thresholds by those that the entries above them imply. Returns the rows in which
  // the number of these entries has changed.
  Keys pass() {
    Keys high[kRows];
    Keys low[kRows];
    Keys count[kRows];
    for (int row = 0; row < kRows; ++row) {
      high[row] = low[row] = count[row] = Keys{};
      Keys const* terms = terms_of(row);
      Keys const* const end = terms + 2 * rows_.count();
      for (; terms < end; terms += kSummed) {
        auto const sums = sums_above(terms, std::min(terms + kSummed, end), floors_[row]);
        high[row] += sums.of_terms >> 16;
        low[row] += sums.of_terms & 0xffff;
        count[row] += sums.count;
      }
    }
    Keys const counts = sums_of_lanes<int32_t>(count);
    Keys const is_new = counts != counts_;
    counts_ = counts;
    find_thresholds(sums_of_lanes<int32_t>(high), sums_of_lanes<int32_t>(low));
    return is_new;
  }

  struct Sums {
    Keys of_terms;
    Keys count;
  };

  // Sums and counts the terms above a floor, lane by lane.
  static Sums sums_above(Keys const* terms, Keys const* end, int32_t floor) {
    Keys const floors = Keys{} + floor;
    Sums sums[2] = {};
    for (; terms < end; terms += 2) {
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        auto const is_above = terms[i] > floors;
        sums[i].of_terms += is_above ? terms[i] : Keys{};
        sums[i].count -= is_above;
      }
    }
    return {sums[0].of_terms + sums[1].of_terms, sums[0].count + sums[1].count};
  }

  // Finds the thresholds, given the sums of terms in two parts: high * 2^16 + low.
  void find_thresholds(Keys high, Keys low) {
    Keys const floors =
        join(thresholds_of_half<false>(high, low), thresholds_of_half<true>(high, low));
    floors_ = is_valid_ ? floors : Keys{} + Wide::kHighest;
  }

  // Stores the fractions of the thresholds of half of the rows, and returns their floors.
  template <bool Second>
  HalfIntegers thresholds_of_half(Keys high, Keys low) {
    auto const doubles = [](Keys x) {
      return __builtin_convertvector(half_of<Second, int32_t>(x), Doubles);
    };
    Doubles const counts = doubles(counts_);
    auto const thresholds = wide_.thresholds(doubles(high) * 65536.0 + doubles(low),
                                             counts == 0.0 ? Doubles{} + 1.0 : counts);
    store(fractions_ + (Second ? kLanes<double> : 0), thresholds.fraction);
    return __builtin_convertvector(thresholds.floor, HalfIntegers);
  }

  Vector<uint16_t> weigh(Keys const* terms, int32_t floor, float fraction) const {
    return narrowed_parts<Scalar>(wide_.template weights<Keys, Floats>(terms[0], floor, fraction),
                                  wide_.template weights<Keys, Floats>(terms[1], floor, fraction));
  }

  // Computes weights of at most kFew units again, one by one: in large supports weigh() may be off
  // there.
  void weigh_few(Keys const* terms, int32_t floor, double fraction, Vector<uint16_t>& bits) const {
    auto const has_few = [&](Keys part) { return (part > floor) & (part - floor <= Wide::kFew); };
    if (!any_lane(has_few(terms[0]) | has_few(terms[1]))) return;
    for (int i = 0; i < kCount; ++i) {
      auto const [part, lane] = place_in_parts<Scalar>(i);
      int32_t const above = terms[part][lane] - floor;
      if (above <= 0 || above > Wide::kFew) continue;
      bits[i] = narrow<Scalar>(wide_.weight(above, fraction)).bits;
    }
  }

  // Finds rows with candidates that have no exact term. Only bfloat16 has such numbers, and only if
  // thresholds are near 0 or below are they candidates.
  void find_fine_rows(Scalar const* logits, Floats bounds) {
    fine_rows_ = 0;
    if constexpr (std::is_same_v<Scalar, BFloat16>) {
      Floats const least = Floats{} + wide_.least_bfloat16();
      if (!any_lane(bounds < least)) return;
      for (int row = 0; row < kRows; ++row) {
        if (!has_fine(logits + row * rows_.length(), bounds[row])) continue;
        fine_rows_ |= uint64_t{1} << row;
        is_valid_[row] = 0;
      }
    }
  }

  [[gnu::noinline]] bool has_fine(Scalar const* entries, float bound) {
    float const least = wide_.least_bfloat16();
    Keys is_fine = {};
    auto const add = [&](Floats z) {
      Floats const magnitude = larger(z, -z);
      is_fine |= (z >= bound) & (magnitude < least) & (magnitude > 0);
    };
    auto const add_bits = [&](Vector<uint16_t> bits) {
      add(part_of<Scalar, 0>(bits));
      add(part_of<Scalar, 1>(bits));
    };
    int64_t const whole = rows_.whole() / kCount;
    for (int64_t i = 0; i < whole; ++i)
      add_bits(cpu::ZETA_CAPABILITY::load<uint16_t>(entries + i * kCount));
    if (rows_.has_rest()) add_bits(rest_bits(entries));
    return any_lane(is_fine);
  }

  RowVectors<Scalar>& rows_;
  int32_t k_;
  int64_t step_;  // from the terms of a row to those of the next
  Wide wide_{1};
  uint64_t fine_rows_ = 0;
  Floats maxima_;
  Keys is_valid_;
  Keys floors_;  // of thresholds, in units
  Keys counts_;
  alignas(kVectorBytes) double fractions_[kRows];
  Scratch<int32_t> terms_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
