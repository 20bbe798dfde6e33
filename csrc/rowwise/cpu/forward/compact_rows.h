#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"
#include "rowwise/saved_support.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Writes rows as the weights that are not 0, largest first, and their indices.
template <class Scalar>
class CompactRows {
 public:
  // Operands of the geometry: values, logits, indices. A row has at most `places` weights that are
  // not 0.
  CompactRows(RowGeometry<3> const& geometry, Scalar* values, int64_t* indices, int64_t places)
      : geometry_(geometry), values_(values), indices_(indices), places_(places) {
    sorted_.reserve(places);
  }

  // Writes a row, given weight(i) and column(i) of `count` entries. All others have the weight 0,
  // and these may have it, too.
  template <class Weight, class Column>
  void write(int64_t row, int64_t count, Weight const& weight, Column const& column) {
    Entry* const sorted = sorted_.data();
    int64_t size = 0;
    bool is_sorted = true;
    for (int64_t i = 0; i < count; ++i) {
      Key const key = key_of(weight(i));
      if (key == 0) continue;
      sorted[size] = {key, column(i)};
      is_sorted = is_sorted && (size == 0 || precedes(sorted[size - 1], sorted[size]));
      ++size;
    }
    if (!is_sorted) std::sort(sorted, sorted + size, precedes);
    Destination const to = destination(row);
    for (int64_t i = 0; i < size; ++i) to.put(i, scalar_of<Scalar>(sorted[i].key), sorted[i].index);
    for (int64_t i = size; i < places_; ++i) to.put(i, Scalar{}, kNoColumn);
  }

  // Writes a row without weights.
  void write_none(int64_t row) {
    write(row, 0, [](int64_t) { return Scalar{}; }, [](int64_t) { return kNoColumn; });
  }

  // Writes a row that is not ordinary: NaN for values, with the indices of its largest entries.
  // NaN counts as the largest number.
  [[gnu::noinline]] void write_nan(int64_t row, Scalar const* logits) {
    // The least of the largest entries so far is the first one of a heap.
    Entry* const largest = sorted_.data();
    for (int64_t column = 0; column < geometry_.length; ++column) {
      bool const is_nan = widen(logits[column]) != widen(logits[column]);
      Entry const entry = {is_nan ? kGreatest<Key> : selection_key(logits[column]), column};
      if (column < places_) {
        largest[column] = entry;
        std::push_heap(largest, largest + column + 1, precedes);
      } else if (precedes(entry, largest[0])) {
        std::pop_heap(largest, largest + places_, precedes);
        largest[places_ - 1] = entry;
        std::push_heap(largest, largest + places_, precedes);
      }
    }
    std::sort_heap(largest, largest + places_, precedes);
    Destination const to = destination(row);
    auto const nan = narrow<Scalar>(std::numeric_limits<double>::quiet_NaN());
    for (int64_t i = 0; i < places_; ++i) to.put(i, nan, largest[i].index);
  }

 private:
  using Key = key_t<Scalar>;

  struct Entry {
    Key key;
    int64_t index;
  };

  static bool precedes(Entry const& a, Entry const& b) {
    return a.key != b.key ? a.key > b.key : a.index < b.index;
  }

  struct Destination {
    Scalar* values;
    int64_t* indices;
    int64_t value_stride;
    int64_t index_stride;

    void put(int64_t place, Scalar value, int64_t index) const {
      values[place * value_stride] = value;
      indices[place * index_stride] = index;
    }
  };

  Destination destination(int64_t row) const {
    int64_t offsets[3];
    geometry_.offsets(row, offsets);
    return {values_ + offsets[0], indices_ + offsets[2], geometry_.stride[0], geometry_.stride[2]};
  }

  RowGeometry<3> const& geometry_;
  Scalar* values_;
  int64_t* indices_;
  int64_t places_;
  Scratch<Entry> sorted_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
