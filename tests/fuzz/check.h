#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "../cpp/row_reference.h"
#include "mappings/fixed_point.h"
#include "rowwise/float16.h"

// Checks of one row against the definition.
namespace zeta::fuzz {

// Of a check. Nobody catches it for good, so that it ends the process and libFuzzer keeps the
// input.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class... Parts>
[[noreturn]] void fail(Parts const&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Failure(text.str());
}

// Adds to a failure in what it happened.
template <class Check, class... Parts>
void in_context(Check const& check, Parts const&... parts) {
  try {
    check();
  } catch (Failure const& failure) {
    fail(failure.what(), '\n', parts...);
  }
}

struct Precision {
  double half_ulp_of_one;
  double smallest;
  double largest;
  int limbs;  // of the integers that a gradient, or for alpha = 2 a logit, is taken as
};

template <class Scalar>
inline constexpr Precision kPrecision{};
template <>
inline constexpr Precision kPrecision<float>{0x1p-24, 0x1p-149, 0x1.fffffep127, 1};
template <>
inline constexpr Precision kPrecision<double>{0x1p-53, 0x1p-1074, 0x1.fffffffffffffp1023, 2};
template <>
inline constexpr Precision kPrecision<rowwise::Float16>{0x1p-11, 0x1p-24, 65504, 1};
template <>
inline constexpr Precision kPrecision<rowwise::BFloat16>{0x1p-8, 0x1p-133, 0x1.fep127, 1};

// The unit of integers of so many limbs, which stand for the entries of a row.
inline long double unit_of(int64_t full_length, int limbs) {
  return std::ldexp(1.0L, -mappings::fraction_bits(full_length) * limbs);
}

// What a weight may be off by before it is rounded to the nearest number. For alpha = 2 the
// threshold is a mean of integers. Elsewhere it is a root, of 53 bits of which a few are lost, of a
// sum of weights as integers of two limbs.
inline long double tolerance_of_weights(int64_t length, int64_t full_length,
                                        Precision const& precision, double alpha) {
  if (alpha == 2) return 2 * unit_of(full_length, precision.limbs);
  return 0x1p-50L + static_cast<long double>(length) * unit_of(full_length, 2);
}

inline void check_weights(std::vector<double> const& logits, int64_t k,
                          std::vector<double> const& weights, Precision const& precision,
                          int64_t full_length, double alpha) {
  auto const expected = reference::forward_row(logits, k, alpha);
  auto const length = static_cast<int64_t>(logits.size());
  auto const of_reference = std::ldexp(static_cast<long double>(length), -63);
  auto const of_threshold = tolerance_of_weights(length, full_length, precision, alpha);
  int64_t nonzeros = 0;
  for (size_t column = 0; column < weights.size(); ++column) {
    double const weight = weights[column];
    if (std::isnan(weight) && std::isnan(expected[column])) continue;
    auto const binade = std::ilogb(std::max<long double>(expected[column], precision.smallest));
    long double const half_ulp = std::ldexp(precision.half_ulp_of_one, binade);
    long double const tolerance = half_ulp + of_threshold + of_reference + precision.smallest;
    if (!(std::abs(weight - expected[column]) <= tolerance) || std::signbit(weight)) {
      fail("the weight of column ", column, " is ", weight, " in place of ", expected[column],
           ", k = ", k, ", length = ", weights.size());
    }
    if (weight != 0) ++nonzeros;
  }
  if (nonzeros > k) fail(nonzeros, " weights are not 0, but k = ", k);
}

inline bool is_near(double actual, long double expected, long double tolerance, double largest) {
  if (std::isnan(actual) || std::isnan(expected)) {
    return std::isnan(actual) && std::isnan(expected);
  }
  if (std::isfinite(actual)) return std::abs(actual - expected) <= tolerance;
  return std::signbit(actual) == std::signbit(expected) &&
         std::abs(expected) + tolerance >= largest;
}

inline bool has_nan(std::vector<double> const& row) {
  return std::any_of(row.begin(), row.end(), [](double x) { return std::isnan(x); });
}

// What the backward takes weights for. Where slopes vary, one that no forward gives counts as the
// nearest that it may give.
inline std::vector<double> nearest_weights(std::vector<double> row, double alpha) {
  if (alpha == 2) return row;
  for (double& weight : row) weight = weight < 0 ? 0 : weight > 1 ? 1 : weight;
  return row;
}

// What the mean of the gradients may be off by, relative to the largest of them on the support. For
// alpha = 2 it is a mean of integers. Elsewhere products are summed, and slopes, which are integers
// of one limb.
inline long double tolerance_of_mean(std::vector<long double> const& slopes, int64_t full_length,
                                     Precision const& precision, double alpha) {
  if (alpha == 2) return 4 * unit_of(full_length, precision.limbs);
  auto const length = static_cast<long double>(slopes.size());
  return 2 * length * unit_of(full_length, 1) / reference::detail::sum(slopes);
}

inline void check_gradient(std::vector<double> const& grads, std::vector<double> const& given,
                           std::vector<double> const& results, Precision const& precision,
                           int64_t full_length, double alpha) {
  auto const weights = nearest_weights(given, alpha);
  auto const slopes = reference::slopes_of(weights, alpha);
  // Weights of a row sum to 1. Of slopes that are as small as their unit, no mean is near any
  // other.
  if (alpha != 2 && reference::detail::sum(slopes) < 0.5) return;
  auto const expected = has_nan(weights) ? reference::nan_row(weights.size())
                                         : reference::backward_row(grads, weights, alpha);
  // Sums are no finer for smaller numbers than for these.
  long double largest = 0x1p-1000;
  for (size_t column = 0; column < grads.size(); ++column) {
    if (weights[column] == 0 || !std::isfinite(grads[column])) continue;
    largest = std::max<long double>(largest, std::abs(grads[column]));
  }
  auto const of_reference = std::ldexp(static_cast<long double>(grads.size()), -63);
  auto const of_mean = tolerance_of_mean(slopes, full_length, precision, alpha);
  for (size_t column = 0; column < results.size(); ++column) {
    long double const relative =
        4 * precision.half_ulp_of_one + of_reference + of_mean * slopes[column];
    long double const tolerance = largest * relative + precision.smallest;
    if (!is_near(results[column], expected[column], tolerance, precision.largest)) {
      fail("the gradient of column ", column, " is ", results[column], " in place of ",
           expected[column], ", length = ", results.size());
    }
  }
}

// The count of the non-zero weights, their columns, then -1.
inline std::vector<int32_t> support_of(std::vector<double> const& weights, int64_t capacity) {
  std::vector<int32_t> support(static_cast<size_t>(1 + capacity), -1);
  if (std::isnan(weights[0])) return support;
  int32_t count = 0;
  for (size_t column = 0; column < weights.size(); ++column) {
    if (weights[column] == 0) continue;
    if (count == capacity) fail("more weights than the capacity ", capacity, " are not 0");
    support[static_cast<size_t>(++count)] = static_cast<int32_t>(column);
  }
  support[0] = count;
  return support;
}

// The weights that are in this support, given any numbers in its place.
inline std::vector<double> weights_in(std::vector<int32_t> const& support,
                                      std::vector<double> const& all) {
  bool const is_nan = support[0] < 0;
  auto const length = static_cast<int64_t>(all.size());
  std::vector<double> weights(all.size(), is_nan ? std::nan("") : 0);
  int64_t const capacity = std::min(static_cast<int64_t>(support.size()) - 1, length);
  int64_t previous = -1;
  for (int64_t i = 1; i <= std::min<int64_t>(support[0], capacity); ++i) {
    int64_t const column = support[static_cast<size_t>(i)];
    if (column <= previous || column >= length) continue;
    weights[static_cast<size_t>(column)] = all[static_cast<size_t>(column)];
    previous = column;
  }
  return weights;
}

// Whether these are the columns of the largest entries, in order. NaN is larger than all numbers,
// and which of several NaNs are taken is not said.
inline bool are_largest(std::vector<int64_t> const& columns, std::vector<double> const& entries) {
  auto const expected = reference::columns_of_largest(entries, columns.size());
  auto const entry = [&](int64_t column) { return entries[static_cast<size_t>(column)]; };
  int64_t previous = -1;
  for (size_t i = 0; i < columns.size(); ++i) {
    int64_t const column = columns[i];
    if (column <= previous || column >= static_cast<int64_t>(entries.size())) return false;
    bool const are_nan = std::isnan(entry(column)) && std::isnan(entry(expected[i]));
    if (column != expected[i] && !are_nan) return false;
    previous = column;
  }
  return true;
}

}  // namespace zeta::fuzz
