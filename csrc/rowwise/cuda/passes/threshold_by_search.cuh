#pragma once

#include "mappings/estimates.h"
#include "rowwise/float16.h"

// Finds thresholds by a sum over entries at one point after the other, for mappings that search for
// them.
namespace zeta::rowwise::cuda {

// Each sum takes a pass over the entries. The search begins at `start`.
template <class Mapping, class Scalar, class Group, class Entries>
__device__ typename Mapping::Threshold search_threshold(Group const& group, Mapping const& mapping,
                                                        Entries const& entries,
                                                        typename Mapping::Threshold const& start) {
  auto search = mapping.search(start);
  bool is_over = false;
  while (group.any(!is_over)) {
    double const point = search.point();
    typename Mapping::Sum sum;
    entries.for_each(group, [&](auto, Scalar entry) {
      auto const logit = widen(entry);
      if (logit < mapping.lower_bound()) return;
      sum.add(mapping.sum_of(mapping.level(mapping.term(logit), point)));
    });
    sum = group.reduce(sum);
    // A group whose search is over may go on because of others.
    if (!is_over) is_over = search.advance(sum);
  }
  return mapping.threshold(search);
}

namespace detail {

struct EstimatedSum {
  float weights = 0;
  float slopes = 0;

  __device__ void add(EstimatedSum const& other) {
    weights += other.weights;
    slopes += other.slopes;
  }
};

}  // namespace detail

// Returns a number near the threshold of a few entries, for a search to begin with. It is Newton's
// method in float, where a pass takes fewer instructions. Every thread of the group must get the
// same sums, in whatever order these are made.
template <class Mapping, class Scalar, class Group, class Entries>
__device__ typename Mapping::Threshold estimate_root(Group const& group, Mapping const& mapping,
                                                     Entries const& entries) {
  if (!mapping.has_reach()) return mapping.lowest_threshold();
  auto const b = static_cast<float>(mapping.b());
  float c = 1;
  float step;
  do {
    detail::EstimatedSum sum;
    entries.for_each(group, [&](auto, Scalar entry) {
      auto const term = static_cast<float>(widen(entry) - mapping.maximum());
      auto const level = mapping.estimated_level(term, c);
      if (level.is_above) sum.add({level.weights, level.slopes});
    });
    sum = group.reduce(sum);
    float const next = mappings::next_estimate(c, sum.weights, sum.slopes, b);
    step = c - next;
    c = next;
  } while (step > c * mappings::kLastStep);
  double const threshold = -static_cast<double>(c) / mapping.b();
  return mapping.threshold_below(threshold, threshold);
}

}  // namespace zeta::rowwise::cuda
