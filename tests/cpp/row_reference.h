#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

// What the operators are defined to give for one row, by sorting, weights in long double.
namespace zeta::reference {

inline std::vector<long double> nan_row(size_t length) {
  return std::vector(length, std::numeric_limits<long double>::quiet_NaN());
}

// The columns in the order in which they are taken: NaN first, and the lower one of equal entries.
inline std::vector<size_t> descending_columns(std::vector<double> const& entries) {
  std::vector<size_t> columns(entries.size());
  std::iota(columns.begin(), columns.end(), size_t{0});
  std::stable_sort(columns.begin(), columns.end(), [&](size_t a, size_t b) {
    return std::isnan(entries[a]) ? !std::isnan(entries[b]) : entries[a] > entries[b];
  });
  return columns;
}

// The columns of the `count` largest entries, in increasing order.
inline std::vector<int64_t> columns_of_largest(std::vector<double> const& entries, size_t count) {
  auto const columns = descending_columns(entries);
  std::vector<int64_t> largest(columns.begin(),
                               columns.begin() + static_cast<std::ptrdiff_t>(count));
  std::sort(largest.begin(), largest.end());
  return largest;
}

namespace detail {

inline long double sum(std::vector<long double> const& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0L);
}

// Each of these takes logits in descending order, less the largest, and returns their weights.
inline std::vector<long double> projection(std::vector<long double> const& logits) {
  long double sum = 0;
  long double threshold = 0;
  size_t support = 0;
  for (long double const logit : logits) {
    sum += logit;
    auto const size = static_cast<long double>(support + 1);
    if (!(logit * size > sum - 1)) break;
    ++support;
    threshold = (sum - 1) / size;
  }
  std::vector<long double> weights(logits.size());
  for (size_t i = 0; i < support; ++i) weights[i] = logits[i] - threshold;
  return weights;
}

inline std::vector<long double> softmax(std::vector<long double> const& logits) {
  std::vector<long double> weights;
  for (long double const logit : logits) weights.push_back(std::exp(logit));
  long double const total = sum(weights);
  for (long double& weight : weights) weight /= total;
  return weights;
}

// By Newton's method from above. The sum of the weights is convex in c, so that no step leads below
// the root.
inline std::vector<long double> entmax(std::vector<long double> const& logits, double alpha) {
  long double const b = alpha - 1.0L;
  std::vector<long double> weights(logits.size());
  long double previous = 2;
  for (long double c = 1; c < previous;) {
    long double slopes = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      long double const base = c + b * logits[i];
      weights[i] = base > 0 ? std::pow(base, 1 / b) : 0;
      if (base > 0) slopes += weights[i] / base;
    }
    previous = c;
    c -= (sum(weights) - 1) * b / slopes;
  }
  return weights;
}

}  // namespace detail

inline std::vector<long double> forward_row(std::vector<double> const& logits, int64_t k,
                                            double alpha = 2) {
  double const infinity = std::numeric_limits<double>::infinity();
  auto const is_finite_or_masked = [&](double logit) { return logit < infinity; };
  if (!std::all_of(logits.begin(), logits.end(), is_finite_or_masked)) {
    return nan_row(logits.size());
  }
  auto const order = descending_columns(logits);
  long double const maximum = logits[order[0]];
  if (maximum == -infinity) return nan_row(logits.size());

  std::vector<long double> largest;
  for (size_t i = 0; i < order.size() && static_cast<int64_t>(i) < k; ++i) {
    largest.push_back(logits[order[i]] - maximum);
  }
  auto const kept = alpha == 2   ? detail::projection(largest)
                    : alpha == 1 ? detail::softmax(largest)
                                 : detail::entmax(largest, alpha);
  std::vector<long double> weights(logits.size());
  for (size_t i = 0; i < kept.size(); ++i) weights[order[i]] = kept[i];
  return weights;
}

// The columns of a row's compact form, given its weights: those of the largest ones, and -1 in
// place of what has the weight 0. If the weights are NaN, those of the largest logits.
inline std::vector<int64_t> compact_columns(std::vector<double> const& logits,
                                            std::vector<double> const& weights, size_t places) {
  bool const is_nan = std::isnan(weights[0]);
  auto const order = descending_columns(is_nan ? logits : weights);
  std::vector<int64_t> columns;
  for (size_t i = 0; i < places; ++i) {
    columns.push_back(weights[order[i]] == 0 ? -1 : static_cast<int64_t>(order[i]));
  }
  return columns;
}

// The derivatives of the weights by their logits, but for what the weights' sum of 1 takes off.
inline std::vector<long double> slopes_of(std::vector<double> const& weights, double alpha) {
  std::vector<long double> slopes;
  for (long double const weight : weights) {
    slopes.push_back(weight == 0 ? 0 : std::pow(weight, 2 - alpha));
  }
  return slopes;
}

inline std::vector<long double> backward_row(std::vector<double> const& grad_weights,
                                             std::vector<double> const& weights, double alpha = 2) {
  if (std::isnan(weights[0])) return nan_row(weights.size());
  auto const slopes = slopes_of(weights, alpha);
  long double sum = 0;
  for (size_t column = 0; column < weights.size(); ++column) {
    if (weights[column] != 0) sum += slopes[column] * grad_weights[column];
  }
  long double const mean = sum / detail::sum(slopes);
  std::vector<long double> result(weights.size());
  for (size_t column = 0; column < weights.size(); ++column) {
    if (weights[column] != 0) result[column] = slopes[column] * (grad_weights[column] - mean);
  }
  return result;
}

}  // namespace zeta::reference
