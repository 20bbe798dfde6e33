#pragma once

#include <cstdint>
#include <type_traits>

#include "mappings/root_search.h"
#include "rowwise/cuda/passes/select.cuh"
#include "rowwise/cuda/passes/threshold_by_search.cuh"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

// Computes weights from a row's entries, or from candidates among them that include its support.
namespace zeta::rowwise::cuda {

// Finds the threshold of a row by Michelot's iteration (1986): each pass drops the entries below
// the threshold of the others. The first pass drops those below `start`, which must be at most the
// threshold of the row.
template <class Mapping, class Scalar, class Group, class Entries>
__device__ typename Mapping::Threshold find_threshold(Group const& group, Mapping const& mapping,
                                                      Entries const& entries,
                                                      typename Mapping::Threshold const& start) {
  auto threshold = start;
  int64_t size = 0;
  bool is_found;
  do {
    typename Mapping::Sum sum;
    entries.for_each(group, [&](auto, Scalar entry) {
      auto const logit = widen(entry);
      if (logit < mapping.lower_bound()) return;
      auto const term = mapping.term(logit);
      if (mapping.is_above(term, threshold)) sum.add(term);
    });
    sum = group.reduce(sum);
    is_found = sum.count == size;
    if (!is_found) {
      threshold = mapping.threshold(sum);
      size = sum.count;
    }
  } while (group.any(!is_found));
  return threshold;
}

namespace detail {

struct FloatSum {
  double sum = 0;
  int64_t count = 0;

  __device__ void add(FloatSum other) {
    sum += other.sum;
    count += other.count;
  }
};

}  // namespace detail

// Returns a number that is close to the threshold of a row of many entries, and not above it. It is
// the same iteration in float, where a pass takes fewer instructions. The threshold of some of the
// entries is at most that of all, so only the rounding of the sums has to be allowed for.
template <class Mapping, class Scalar, class Group, class Entries>
__device__ typename Mapping::Threshold estimate_threshold(Group const& group,
                                                          Mapping const& mapping,
                                                          Entries const& entries, int64_t length) {
  float threshold = -1;
  int64_t count = 0;
  bool goes_on = true;
  for (int pass = 0; pass < kMostEstimates && group.any(goes_on); ++pass) {
    float own_sum = 0;
    int64_t own_count = 0;
    entries.for_each(group, [&](auto, Scalar entry) {
      auto const below_maximum = static_cast<float>(widen(entry) - mapping.maximum());
      if (!(below_maximum >= threshold)) return;
      own_sum += below_maximum;
      ++own_count;
    });
    auto const all = group.reduce(detail::FloatSum{static_cast<double>(own_sum), own_count});
    goes_on = all.count != count && all.count != 0;
    count = all.count;
    if (!goes_on) continue;
    threshold =
        Mapping::estimated_threshold(static_cast<float>(all.sum), static_cast<float>(count));
  }
  // The error is half a unit in the last place for each of a thread's additions, and some for the
  // rest.
  constexpr float kUnit = 0x1p-23F;
  float const error = static_cast<float>(group.entries_of_thread(length) + 16) * kUnit;
  float const estimate = threshold - error;
  return estimate > -1 ? mapping.threshold_below(static_cast<double>(estimate))
                       : mapping.lowest_threshold();
}

// Tells which entries of a row may have a weight: those whose key is above `key`, and those whose
// key equals it and whose index is at most `last_column`.
template <class Scalar>
struct Selection {
  key_t<Scalar> key = kLeast<key_t<Scalar>>;
  int64_t last_column = INT64_MAX;

  __device__ bool includes(int64_t column, Scalar entry) const {
    auto const own = selection_key(entry);
    return own > key || (own == key && column <= last_column);
  }
};

namespace detail {

// The keys of a row's entries, as numbers for find_kth().
template <class Scalar, class Entries>
struct Keys {
  // Keys of 16 bits would take no fewer instructions.
  using Number = std::conditional_t<sizeof(Scalar) == 8, int64_t, int32_t>;

  Entries const& entries;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    entries.for_each(group, [&](auto, Scalar entry) { visit(Number{selection_key(entry)}); });
  }
};

// The negated indices of the entries that have one key, as numbers for find_kth(). They are negated
// so that lower indices are larger numbers.
template <class Scalar, class Entries>
struct ColumnsOfKey {
  Entries const& entries;
  int64_t key;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    entries.for_each(group, [&](auto column, Scalar entry) {
      if (selection_key(entry) == key) visit(-static_cast<int64_t>(column));
    });
  }
};

// How many entries may be in the support, and the least key among them.
struct CountAndLeast {
  int64_t count = 0;
  int64_t least = INT64_MAX;

  __device__ void add(CountAndLeast other) {
    count += other.count;
    if (other.least < least) least = other.least;
  }
};

template <class Scalar, class Entries>
struct Selected {
  Entries const& entries;
  Selection<Scalar> const& selection;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    entries.for_each(group, [&](auto column, Scalar entry) {
      if (selection.includes(column, entry)) visit(column, entry);
    });
  }
};

}  // namespace detail

// Selects the k largest entries of a row, given a range of keys that holds the k-th largest. Of
// equal entries, those with lower indices come first.
template <class Scalar, class Group, class Entries, class Key>
__device__ Selection<Scalar> select_largest(Group const& group, Entries const& entries, int64_t k,
                                            Range<Key> const& range, int64_t length) {
  auto const kth = find_kth(group, detail::Keys<Scalar, Entries>{entries}, k, range);
  bool const has_ties = kth.not_below > k;
  auto const last =
      find_kth(group, detail::ColumnsOfKey<Scalar, Entries>{entries, kth.number}, k - kth.above,
               Range<int64_t>{has_ties ? 1 - length : 0, 0, kth.not_below - kth.above});
  Selection<Scalar> selection = {static_cast<key_t<Scalar>>(kth.number)};
  if (has_ties) selection.last_column = -last.number;
  return selection;
}

// Selects the k largest of the entries that are not below the mapping's lower bound, or all entries
// if no more than k are. `largest` is the row's maximum.
template <class Mapping, class Scalar, class Group, class Entries>
__device__ Selection<Scalar> select_candidates(Group const& group, Mapping const& mapping,
                                               Entries const& entries, Scalar largest, int64_t k,
                                               int64_t length) {
  detail::CountAndLeast candidates;
  entries.for_each(group, [&](auto, Scalar entry) {
    if (widen(entry) < mapping.lower_bound()) return;
    candidates.add({1, selection_key(entry)});
  });
  candidates = group.reduce(candidates);
  bool const are_too_many = candidates.count > k;
  if (!group.any(are_too_many)) return {};

  using Key = typename detail::Keys<Scalar, Entries>::Number;
  Range<Key> const range = {static_cast<Key>(candidates.least), Key{selection_key(largest)},
                            candidates.count};
  auto const selection = select_largest<Scalar>(group, entries, k, range, length);
  return are_too_many ? selection : Selection<Scalar>{};
}

// Computes the weights of a row's entries.
template <class Mapping, class Scalar>
class Weights {
 public:
  __device__ Weights(Mapping const& mapping, typename Mapping::Threshold const& threshold,
                     Selection<Scalar> const& selection)
      : mapping_(mapping), threshold_(threshold), selection_(selection) {}

  __device__ Scalar operator()(int64_t column, Scalar entry) const {
    auto const logit = widen(entry);
    if (logit < mapping_.lower_bound() || !selection_.includes(column, entry))
      return narrow<Scalar>(0);
    auto const term = mapping_.term(logit);
    if constexpr (mappings::kHasSearch<Mapping>) {
      return narrow<Scalar>(mapping_.weights(term, threshold_));
    } else {
      return narrow<Scalar>(mapping_.is_above(term, threshold_) ? mapping_.weight(term, threshold_)
                                                                : 0);
    }
  }

 private:
  Mapping mapping_;
  typename Mapping::Threshold threshold_;
  Selection<Scalar> selection_;
};

// Returns a function of index and entry that gives a row's weights. `largest` is the row's maximum.
// With HasMany, for rows of many entries, the threshold is first estimated.
template <bool HasMany = false, class Mapping, class Scalar, class Group, class Entries>
__device__ Weights<Mapping, Scalar> find_weights(Group const& group, Mapping const& mapping,
                                                 Entries const& entries, Scalar largest, int64_t k,
                                                 int64_t length) {
  auto const selection = select_candidates(group, mapping, entries, largest, k, length);
  detail::Selected<Scalar, Entries> const selected = {entries, selection};
  auto start = mapping.lowest_threshold();
  if constexpr (mappings::kHasSearch<Mapping>) {
    if constexpr (HasMany && requires { mapping.has_reach(); }) {
      start = estimate_root<Mapping, Scalar>(group, mapping, selected);
    }
    return {mapping, search_threshold<Mapping, Scalar>(group, mapping, selected, start), selection};
  } else {
    if constexpr (HasMany) {
      start = estimate_threshold<Mapping, Scalar>(group, mapping, selected, length);
    }
    return {mapping, find_threshold<Mapping, Scalar>(group, mapping, selected, start), selection};
  }
}

}  // namespace zeta::rowwise::cuda
