#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "rowwise/cpu/compression.h"
#include "rowwise/cpu/conversion.h"
#include "rowwise/cpu/row_vectors.h"
#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/transpose.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The candidates of the rows of a group: where they are, and what they are, as lists along the rows
// and as columns, which hold the list of each row in a lane.
template <class Scalar>
class GroupCandidates {
 public:
  static constexpr int kRows = kLanes<float>;

  // The rows have to outlive this.
  explicit GroupCandidates(RowVectors<Scalar>& rows)
      : rows_(rows),
        words_((rows.length() + kWordBits - 1) / kWordBits),
        list_step_(std::min(words_ * kWordBits, tuning::kLongestListOfGroup) + kBeyond),
        is_compressed_(rows.length() <= tuning::kLongestCompressedRow && !rows.has_rest()) {
    marks_.reserve(kRows * words_);
    places_.reserve(kRows * list_step_);
    lists_.reserve(kRows * list_step_);
    columns_.reserve(kRows * list_step_);
  }

  // Lists the entries of a row that reach the bound. Returns how many these are, or -1 if they are
  // too many.
  int64_t collect(int row, Scalar const* entries, float bound) {
    int64_t const count = mark(row, entries, bound);
    if (count > list_step_ - kBeyond) return -1;
    if (is_compressed_) {
      compress_row(row, entries);
    } else if (rows_.length() <= tuning::kDenseMarks) {
      list_row<tuning::kMarksOfDense>(row, entries);
    } else {
      list_row<tuning::kMarksOfSparse>(row, entries);
    }
    counts_[row] = count;
    return count;
  }

  Floats* columns() { return reinterpret_cast<Floats*>(columns_.data()); }

  // From lists to columns.
  void gather(int64_t longest) {
    for (int row = 0; row < kRows; ++row) {
      for (int64_t i = counts_[row]; i < longest; i += kRows) {
        store(lists_.data() + row * list_step_ + i, Floats{} - INFINITY);
      }
    }
    for (int64_t first = 0; first < longest; first += kRows) {
      Floats square[kRows];
      for (int row = 0; row < kRows; ++row) {
        square[row] = load<float>(lists_.data() + row * list_step_ + first);
      }
      transpose_square<float>(square);
      std::copy_n(square, kRows, columns() + first);
    }
  }

  // The other way.
  void scatter(int64_t longest) {
    for (int64_t first = 0; first < longest; first += kRows) {
      Floats square[kRows];
      std::copy_n(columns() + first, kRows, square);
      transpose_square<float>(square);
      for (int row = 0; row < kRows; ++row) {
        store(lists_.data() + row * list_step_ + first, square[row]);
      }
    }
  }

  // Whether candidates are written by expand_row(), or else by put_row().
  bool is_compressed() const { return is_compressed_; }

  // Writes a row whose list holds the bits of weights.
  template <bool Streams>
  void expand_row(int row, Scalar* weights) const {
    float const* list = lists_.data() + row * list_step_;
    auto const next = [&](int64_t column) {
      LaneBits const mask = mask_of(row, column);
      Floats const bits = expand(list, mask);
      list += std::popcount(mask);
      return bits;
    };
    for (int64_t column = 0; column < rows_.length(); column += kCount) {
      auto const numbers = [&] {
        if constexpr (kFloatVectors == 1) {
          return next(column);
        } else {
          auto const low = shortened(reinterpret_cast<Vector<uint32_t>>(next(column)));
          auto const high = reinterpret_cast<Vector<uint32_t>>(next(column + kRows));
          return join(low, shortened(high));
        }
      }();
      Streams ? stream(weights + column, numbers) : store(weights + column, numbers);
    }
  }

  // The same for a row of zeros.
  void put_row(int row, Scalar* weights) const {
    float const* const list = lists_.data() + row * list_step_;
    int32_t const* const places = places_.data() + row * list_step_;
    for (int64_t i = 0; i < counts_[row]; ++i) {
      std::memcpy(weights + places[i], list + i, sizeof(Scalar));
    }
  }

  void clear_row(int row, Scalar* weights) const {
    int32_t const* const places = places_.data() + row * list_step_;
    for (int64_t i = 0; i < counts_[row]; ++i) weights[places[i]] = Scalar{};
  }

 private:
  using Numbers = typename RowVectors<Scalar>::Numbers;
  using Element = typename Numbers::Element;
  static constexpr int kCount = kLanes<Element>;        // entries in a vector
  static constexpr int kFloatVectors = kCount / kRows;  // that they become
  static constexpr int kWordBits = 64;                  // marks in a word
  // What is written beyond the end of a list before the next one begins.
  static constexpr int64_t kBeyond = std::max(kRows, tuning::kMarksOfDense);

  // Returns how many entries it marked.
  int64_t mark(int row, Scalar const* entries, float least) {
    auto const bound = broadcast<Element>(Numbers::of_one(narrow<Scalar>(least)));
    // The next group is asked for here, where memory has nothing else to do. Pages that do not
    // exist take long to be asked for.
    int64_t const group = kRows * rows_.length();
    bool const has_next = rows_.is_readable(entries, group + rows_.length());
    Scalar const* const next = entries + (has_next ? group : 0);
    uint64_t* words = marks_.data() + row * words_;
    int64_t count = 0;
    int64_t column = 0;
    for (; column + kWordBits <= rows_.whole(); column += kWordBits) {
      uint64_t word = 0;
#pragma GCC unroll 16
      for (int bit = 0; bit < kWordBits; bit += kCount) {
        __builtin_prefetch(next + column + bit);
        word |= lanes_at_least<Element>(Numbers::of(entries + column + bit), bound) << bit;
      }
      count += std::popcount(word);
      *words++ = word;
    }
    if (column == rows_.length()) return count;
    uint64_t word = 0;
    for (int64_t first = column; column < rows_.length(); column += kCount) {
      auto const vector =
          column < rows_.whole() ? Numbers::of(entries + column) : rows_.load_rest(entries);
      word |= lanes_at_least<Element>(vector, bound) << (column - first);
    }
    *words = word;
    return count + std::popcount(word);
  }

  LaneBits mask_of(int row, int64_t column) const {
    uint64_t const word = marks_.data()[row * words_ + column / kWordBits];
    return static_cast<LaneBits>(word >> (column % kWordBits) & ((1U << kRows) - 1));
  }

  void compress_row(int row, Scalar const* entries) {
    float* list = lists_.data() + row * list_step_;
    for (int64_t column = 0; column < rows_.length(); column += kRows) {
      LaneBits const mask = mask_of(row, column);
      compress(list, widen_lanes(entries + column), mask);
      list += std::popcount(mask);
    }
  }

  // The same, by the places of the marks. So many marks of a word are taken without a branch.
  template <int Usual>
  void list_row(int row, Scalar const* entries) {
    int32_t* const places = places_.data() + row * list_step_;
    int64_t count = 0;
    for (int64_t i = 0; i < words_; ++i) {
      uint64_t word = marks_.data()[row * words_ + i];
      auto const first = static_cast<int32_t>(i * kWordBits);
      int const marks = std::popcount(word);
      auto const take = [&](int j) {
        places[count + j] = first + std::countr_zero(word);
        word &= word - 1;
      };
#pragma GCC unroll 8
      for (int j = 0; j < Usual; ++j) take(j);
      for (int j = Usual; j < marks; ++j) take(j);
      count += marks;
    }
    float* const list = lists_.data() + row * list_step_;
    for (int64_t i = 0; i < count; ++i) list[i] = widen(entries[places[i]]);
  }

  RowVectors<Scalar>& rows_;
  int64_t words_;      // of marks of a row
  int64_t list_step_;  // from the list of a row to that of the next
  bool is_compressed_;
  int64_t counts_[kRows];
  Scratch<uint64_t> marks_;
  Scratch<int32_t> places_;
  Scratch<float> lists_;
  Scratch<float> columns_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
