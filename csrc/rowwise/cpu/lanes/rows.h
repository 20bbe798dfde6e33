#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "rowwise/cpu/lanes/columns.h"
#include "rowwise/cpu/lanes/weights.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/transpose.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Finds the K largest entries of as many rows as a vector has lanes, and writes the rows' weights
// given those of these entries. The rows have one length and follow each other without a gap.
// Entries and weights are taken as bits, so that all types of one size share this code.
template <class Numbers, int K>
class LaneRows {
 public:
  using Element = typename Numbers::Element;
  using Weights = LaneWeights<Numbers, K>;
  static constexpr int64_t kRows = Weights::kRows;

  explicit LaneRows(int64_t length) : length_(length) {}

  // `readable` entries from `rows` on may be read.
  [[gnu::noinline]] void find(Element const* rows, int64_t readable, Weights& weights) const {
    constexpr int64_t kStep = kColumns<Element>;
    Found largest;
    int64_t column = 0;
    for (; column + kStep <= length_; column += kStep) add_columns(largest, rows + column);
    int64_t const first = std::max<int64_t>(0, length_ - kStep);
    if (column < length_ && (kRows - 1) * length_ + first + kStep <= readable) {
      add_rest(largest, rows, first, column);
    } else {
      for (; column < length_; ++column) add_column(largest, rows + column);
    }
    weights.set_largest(largest);
  }

  // Also prefetches the entries that lie `next` entries further on: the processor's own
  // prefetchers, which see a stride when these rows are read, do not keep memory busy.
  template <bool Streams>
  void write(Weights& weights, Element const* entries, Element* results, int64_t next) const {
    if constexpr (Numbers::kHasTwoZeros) {
      if (weights.find_zeros()) {
        return write_rows<true, Streams>(weights, entries, results, next);
      }
    }
    write_rows<false, Streams>(weights, entries, results, next);
  }

  // Does what find() does for rows of `Count` entries, which lie in `Count` vectors. row_of_lane()
  // says of which row each lane of the columns is.
  template <int Count>
  [[gnu::always_inline]] static void find_whole(Element const* rows, int64_t next,
                                                Vector<Element> (&columns)[Count],
                                                Weights& weights) {
    for (int i = 0; i < Count; ++i) columns[i] = Numbers::of_bits(load<Element>(rows + i * kRows));
    rows_to_columns<Element>(columns);
    Found largest;
#pragma GCC unroll 16
    for (int i = 0; i < Count; ++i) {
      __builtin_prefetch(rows + next + i * kRows);
      largest.add(columns[i]);
    }
    weights.set_largest(largest);
  }

  template <int Count>
  [[gnu::always_inline]] static void write_whole(Weights const& weights,
                                                 Vector<Element> (&columns)[Count],
                                                 Element* results, bool streams) {
    weights.replace(columns);
    columns_to_rows<Element>(columns);
    for (int i = 0; i < Count; ++i) {
      streams ? stream(results + i * kRows, columns[i]) : store(results + i * kRows, columns[i]);
    }
  }

 private:
  using Found = Largest<Numbers, K + 1>;

  void add_columns(Found& largest, Element const* first) const {
    Vector<Element> columns[kColumns<Element>];
    load_columns<Numbers>(first, length_, columns);
#pragma GCC unroll 16
    for (int i = 0; i < kColumns<Element>; ++i) largest.add(columns[i]);
  }

  // Loads the columns that begin with column `first`, and adds those from `column` on.
  [[gnu::noinline]] void add_rest(Found& largest, Element const* rows, int64_t first,
                                  int64_t column) const {
    Vector<Element> columns[kColumns<Element>];
    load_columns<Numbers>(rows + first, length_, columns);
    for (; column < length_; ++column) largest.add(columns[column - first]);
  }

  // Adds one column, and reads nothing else.
  void add_column(Found& largest, Element const* first) const {
    Element entries[kRows];
    for (int row = 0; row < kRows; ++row) {
      std::memcpy(entries + row, first + row * length_, sizeof(Element));
    }
    largest.add(Numbers::of_bits(load<Element>(entries)));
  }

  template <bool HasZeros, bool Streams>
  [[gnu::noinline]] void write_rows(Weights const& weights, Element const* entries,
                                    Element* results, int64_t next) const {
    int64_t const length = length_;
    int64_t const last = std::max<int64_t>(0, length - kRows);
    // In so many rows, a row's last vector does not extend beyond the last row.
    int64_t const in_place = kRows - (kRows - 1) / length;
    int64_t row = 0;
    int64_t first = 0;
    for (; row < in_place; ++row, first += length) {
      write_row<HasZeros, Streams>(weights, row, entries + first, results + first, last, next);
    }
    for (; row < kRows; ++row, first += length) {
      write_last_row<HasZeros>(weights, row, entries + first, results + first);
    }
  }

  // Writes a row vector by vector; the last one ends with the row. In a row shorter than a vector
  // it extends into the next row, which is written later.
  template <bool HasZeros, bool Streams>
  static void write_row(Weights const& weights, int row, Element const* entries, Element* results,
                        int64_t last, int64_t next) {
    typename Weights::template OfRow<HasZeros> const of_row(weights, row);
    auto const write = [&](auto const& of_row, int64_t column) {
      __builtin_prefetch(entries + column + next);
      auto const bits = of_row(entries, column);
      Streams ? stream(results + column, bits) : store(results + column, bits);
    };
    int64_t column = 0;
    if (weights.has_ties(row)) {
      typename Weights::template OfTies<typename Weights::template OfRow<HasZeros>> const of_ties(
          of_row, weights, row, entries, last);
      for (; column < std::min(last, of_ties.end()); column += kRows) write(of_ties, column);
      if (last < of_ties.end()) return write(of_ties, last);
    }
    for (; column < last; column += kRows) write(of_row, column);
    write(of_row, last);
  }

  // Writes a row that is shorter than a vector, and nothing beyond it.
  template <bool HasZeros>
  void write_last_row(Weights const& weights, int row, Element const* entries,
                      Element* results) const {
    Element padded_entries[kRows] = {};
    Element padded_results[kRows];
    size_t const bytes = static_cast<size_t>(length_) * sizeof(Element);
    std::memcpy(padded_entries, entries, bytes);
    write_row<HasZeros, false>(weights, row, padded_entries, padded_results, 0, 0);
    std::memcpy(results, padded_results, bytes);
  }

  int64_t length_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
