#pragma once

#include <cstdint>
#include <type_traits>

#include "rowwise/cuda/select.cuh"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

// From a row's entries, or from candidates among them that include all of its support, to weights.
namespace zeta::rowwise::cuda {

// As key_of, but -0.0 equals +0.0.
template <class Scalar>
__device__ key_t<Scalar> selection_key(Scalar x) {
  auto const key = key_of(x);
  return key == -1 ? key_t<Scalar>{0} : key;
}

template <class Mapping, class Scalar>
struct Support {
  typename Mapping::Threshold threshold;
  int64_t size;
  key_t<Scalar> smallest;  // entry of it
};

namespace detail {

template <class Mapping, class Scalar>
struct SumAndSmallest {
  typename Mapping::Sum sum;
  int64_t smallest = INT64_MAX;

  __device__ void add(SumAndSmallest const& other) {
    sum.add(other.sum);
    if (other.smallest < smallest) smallest = other.smallest;
  }
};

}  // namespace detail

// Michelot's iteration (1986): each pass drops what lies below the threshold of the rest. It begins
// with what lies above `start`, which is at most the threshold that it ends with.
template <class Mapping, class Scalar, class Group, class Entries>
__device__ Support<Mapping, Scalar> find_support(Group const& group, Mapping const& mapping,
                                                 Entries const& entries,
                                                 typename Mapping::Threshold const& start) {
  Support<Mapping, Scalar> support = {start, 0, 0};
  bool is_found;
  do {
    detail::SumAndSmallest<Mapping, Scalar> pass;
    entries.for_each(group, [&](auto, Scalar entry) {
      auto const logit = widen(entry);
      if (logit < mapping.lower_bound()) return;
      auto const term = mapping.term(logit);
      if (!mapping.is_above(term, support.threshold)) return;
      pass.sum.add(term);
      int64_t const key = selection_key(entry);
      if (key < pass.smallest) pass.smallest = key;
    });
    pass = group.reduce(pass);
    is_found = pass.sum.count == support.size;
    if (!is_found) {
      support = {mapping.threshold(pass.sum), pass.sum.count,
                 static_cast<key_t<Scalar>>(pass.smallest)};
    }
  } while (group.any(!is_found));
  return support;
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

// A threshold at or below that of a row of many entries, and near it: the same iteration in float,
// whose passes take a quarter of the instructions. What any of the entries imply is at most the
// threshold of all, so only the rounding of the sums has to be allowed for.
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
  // Half a unit in the last place for each of a thread's additions, and some for all the rest.
  constexpr float kUnit = 0x1p-23F;
  float const error = static_cast<float>(length / group.threads() + 16) * kUnit;
  float const estimate = threshold - error;
  return estimate > -1 ? mapping.threshold_below(static_cast<double>(estimate))
                       : mapping.lowest_threshold();
}

// Which entries of a row may have a weight: those above a key, and of those equal to it the ones up
// to a column.
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
  // Narrow keys would take no fewer instructions.
  using Number = std::conditional_t<sizeof(Scalar) == 8, int64_t, int32_t>;

  Entries const& entries;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    entries.for_each(group, [&](auto, Scalar entry) { visit(Number{selection_key(entry)}); });
  }
};

// The columns of the entries that have one key, negative, so that lower ones are larger.
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

}  // namespace detail

// The k largest entries of a row, the lower columns first among equals. Of the entries, `count` are
// not below `smallest`, and none is above `largest`; if they are k at most, all of these.
template <class Scalar, class Group, class Entries>
__device__ Selection<Scalar> select_largest(Group const& group, Entries const& entries,
                                            Scalar smallest, Scalar largest, int64_t count,
                                            int64_t k, int64_t length) {
  using Keys = detail::Keys<Scalar, Entries>;
  using Key = typename Keys::Number;
  auto const kth =
      find_kth(group, Keys{entries}, k,
               Range<Key>{Key{selection_key(smallest)}, Key{selection_key(largest)}, count});
  bool const has_ties = kth.not_below > k;
  auto const last =
      find_kth(group, detail::ColumnsOfKey<Scalar, Entries>{entries, kth.number}, k - kth.above,
               Range<int64_t>{has_ties ? 1 - length : 0, 0, kth.not_below - kth.above});
  Selection<Scalar> selection = {static_cast<key_t<Scalar>>(kth.number)};
  if (has_ties) selection.last_column = -last.number;
  return selection;
}

// The weight of each of a row's entries.
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
    return narrow<Scalar>(mapping_.is_above(term, threshold_) ? mapping_.weight(term, threshold_)
                                                              : 0);
  }

 private:
  Mapping mapping_;
  typename Mapping::Threshold threshold_;
  Selection<Scalar> selection_;
};

// `largest` is the key of the row's maximum, `start` as find_support() takes it.
template <class Mapping, class Scalar, class Group, class Entries>
__device__ Weights<Mapping, Scalar> find_weights(Group const& group, Mapping const& mapping,
                                                 Entries const& entries, key_t<Scalar> largest,
                                                 int64_t k, int64_t length,
                                                 typename Mapping::Threshold const& start) {
  auto const support = find_support<Mapping, Scalar>(group, mapping, entries, start);
  bool const is_capped = support.size > k;
  if (!group.any(is_capped)) return {mapping, support.threshold, {}};
  auto const selection = select_largest(group, entries, scalar_of<Scalar>(support.smallest),
                                        scalar_of<Scalar>(largest), support.size, k, length);
  typename Mapping::Sum sum;
  entries.for_each(group, [&](auto column, Scalar entry) {
    auto const logit = widen(entry);
    if (logit >= mapping.lower_bound() && selection.includes(column, entry))
      sum.add(mapping.term(logit));
  });
  sum = group.reduce(sum);
  if (!is_capped) return {mapping, support.threshold, {}};
  return {mapping, mapping.threshold(sum), selection};
}

}  // namespace zeta::rowwise::cuda
