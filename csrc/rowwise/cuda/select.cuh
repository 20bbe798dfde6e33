#pragma once

#include <cstdint>

#include "rowwise/cuda/row.cuh"
#include "rowwise/ordered_key.h"

// Which k entries of a row are its largest, the lower columns first among equals.
namespace zeta::rowwise::cuda {

struct EntryCount {
  int64_t value = 0;

  __device__ void add(EntryCount other) { value += other.value; }
};

template <class Scalar>
class Selection {
 public:
  using Key = key_t<Scalar>;

  // Finds the k-th largest key bit by bit: the largest number that k keys reach. The row has more
  // than k entries.
  template <class Group>
  __device__ Selection(Group const& group, Row<Scalar const> row, int64_t length, int64_t k) {
    constexpr int kSignBit = 8 * sizeof(Key) - 1;
    Key smallest = static_cast<Key>(Key{1} << kSignBit);
    last_ = smallest;
    for (int bit = kSignBit; bit >= 0; --bit) {
      auto const raised = static_cast<Key>(last_ ^ (Key{1} << bit));
      if (count(group, row, length, [&](Key key) { return key >= raised; }) >= k) last_ = raised;
    }
    ties_ = k - count(group, row, length, [&](Key key) { return key > last_; });
  }

  // Calls visit(column, whether it is selected) for the columns that fall to this thread.
  template <class Group, class Visit>
  __device__ void for_each_column(Group const& group, Row<Scalar const> row, int64_t length,
                                  Visit const& visit) const {
    int64_t ties_before = 0;
    for (int64_t first = 0; first < length; first += Group::kThreads) {
      int64_t const column = first + group.rank();
      bool const is_inside = column < length;
      Key const key = is_inside ? selection_key(row[column]) : Key{0};
      bool const is_tie = is_inside && key == last_;
      auto const ties = group.count(is_tie);
      bool const is_selected = key > last_ || (is_tie && ties_before + ties.below < ties_);
      if (is_inside) visit(column, is_selected);
      ties_before += ties.total;
    }
  }

 private:
  // -0.0 equals +0.0.
  __device__ static Key selection_key(Scalar x) {
    Key const key = key_of(x);
    return key == -1 ? Key{0} : key;
  }

  template <class Group, class Predicate>
  __device__ static int64_t count(Group const& group, Row<Scalar const> row, int64_t length,
                                  Predicate const& predicate) {
    EntryCount result;
    cuda::for_each_column(group, length, [&](int64_t column) {
      if (predicate(selection_key(row[column]))) ++result.value;
    });
    return group.reduce(result).value;
  }

  Key last_;      // of the selected entries
  int64_t ties_;  // how many entries equal to it are selected
};

}  // namespace zeta::rowwise::cuda
