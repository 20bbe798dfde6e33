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

inline std::vector<long double> forward_row(std::vector<double> const& logits, int64_t k) {
  double const infinity = std::numeric_limits<double>::infinity();
  auto const is_finite_or_masked = [&](double logit) { return logit < infinity; };
  if (!std::all_of(logits.begin(), logits.end(), is_finite_or_masked)) {
    return nan_row(logits.size());
  }
  auto const order = descending_columns(logits);
  long double const maximum = logits[order[0]];
  if (maximum == -infinity) return nan_row(logits.size());

  long double sum = 0;
  long double threshold = 0;
  size_t support = 0;
  for (size_t j = 0; j < order.size() && static_cast<int64_t>(j) < k; ++j) {
    long double const logit = logits[order[j]] - maximum;
    sum += logit;
    if (!(logit * static_cast<long double>(j + 1) > sum - 1)) break;
    support = j + 1;
    threshold = (sum - 1) / static_cast<long double>(support);
  }
  std::vector<long double> weights(logits.size());
  for (size_t j = 0; j < support; ++j) weights[order[j]] = logits[order[j]] - maximum - threshold;
  return weights;
}

inline std::vector<long double> backward_row(std::vector<double> const& grad_weights,
                                             std::vector<double> const& weights) {
  if (std::isnan(weights[0])) return nan_row(weights.size());
  long double sum = 0;
  long double count = 0;
  for (size_t column = 0; column < weights.size(); ++column) {
    if (weights[column] == 0) continue;
    sum += grad_weights[column];
    ++count;
  }
  std::vector<long double> result(weights.size());
  for (size_t column = 0; column < weights.size(); ++column) {
    if (weights[column] != 0) result[column] = grad_weights[column] - sum / count;
  }
  return result;
}

}  // namespace zeta::reference
