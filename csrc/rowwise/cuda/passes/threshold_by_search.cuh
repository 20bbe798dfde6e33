#pragma once

#include "rowwise/float16.h"

namespace zeta::rowwise::cuda {

// Finds the threshold of a row by a sum over its entries at one point after the other, for mappings
// that search for it. Each sum takes a pass.
template <class Mapping, class Scalar, class Group, class Entries>
__device__ typename Mapping::Threshold search_threshold(Group const& group, Mapping const& mapping,
                                                        Entries const& entries) {
  auto search = mapping.search();
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

}  // namespace zeta::rowwise::cuda
