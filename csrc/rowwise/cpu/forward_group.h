#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <type_traits>

#include "rowwise/cpu/compression.h"
#include "rowwise/cpu/conversion.h"
#include "rowwise/cpu/lane_numbers.h"
#include "rowwise/cpu/lane_supports.h"
#include "rowwise/cpu/row_scan.h"
#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/sort_lanes.h"
#include "rowwise/cpu/sparse_row.h"
#include "rowwise/cpu/transpose.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// As many rows as a vector of floats has lanes, which follow each other without a gap, for any k.
// Each row is read along its entries, which leaves a few that may be in its support; these are then
// taken one row to a lane, and their weights put back where they came from. Rows with many
// candidates are left to RowForward.
template <template <class> class MappingOf, class Scalar>
class GroupForward {
 public:
  using Mapping = MappingOf<float>;
  static constexpr int kRows = kLanes<float>;

  GroupForward(int64_t length, int64_t k, bool streams)
      : length_(length),
        k_(k),
        whole_(length / kCount * kCount),
        words_((length + kWordBits - 1) / kWordBits),
        list_step_(std::min(words_ * kWordBits, tuning::kLongestListOfGroup) + kBeyond),
        is_compressed_(length <= tuning::kLongestCompressedRow && whole_ == length),
        supports_(length, k) {
    lists_.reserve(kRows * list_step_);
    places_.reserve(kRows * list_step_);
    columns_.reserve(kRows * list_step_);
    marks_.reserve(kRows * words_);
    if (streams) reserve_lines();
  }

  // `readable` entries from the first on may be read. Returns whether the rows were written.
  bool operator()(Scalar const* logits, Scalar* weights, int64_t readable) {
    if (groups_to_leave_ > 0) {
      --groups_to_leave_;
      return false;
    }
    readable_end_ = logits + readable;
    find_bounds(logits);
    int64_t const candidates = collect(logits);
    if (candidates < 0) {
      groups_to_leave_ = tuning::kGroupsToLeave;
      return false;
    }
    gather(candidates);
    supports_.find(columns(), candidates, maxima_, thresholds_);
    supports_.template weigh<Scalar>(columns(), candidates);
    scatter(candidates);
    write(weights);
    return true;
  }

 private:
  using Numbers =
      std::conditional_t<sizeof(Scalar) == 2, LaneIntegers<Scalar>, LaneNumbers<Scalar>>;
  using Element = typename Numbers::Element;
  static constexpr int kCount = kLanes<Element>;        // entries in a vector
  static constexpr int kFloatVectors = kCount / kRows;  // that they become
  static constexpr int kWordBits = 64;                  // marks in a word
  static constexpr int kAbreast = 4;                    // vectors that need not wait in turn
  // What is written beyond the end of a list before the next one begins.
  static constexpr int64_t kBeyond = std::max(kRows, tuning::kMarksOfDense);

  Floats* columns() { return reinterpret_cast<Floats*>(columns_.data()); }

  // The part of a row after its last whole vector, of which a whole vector may be read.
  Scalar const* rest_of(Scalar const* row) {
    if (row + whole_ + kCount <= readable_end_) return row + whole_;
    std::copy_n(row + whole_, length_ - whole_, rest_);
    return rest_;
  }

  Vector<Element> load_rest(Scalar const* rest) const {
    Vector<Element> lanes;
    for (int lane = 0; lane < kCount; ++lane) lanes[lane] = static_cast<Element>(lane);
    auto const count = static_cast<Element>(length_ - whole_);
    return lanes < count ? Numbers::of(rest) : broadcast<Element>(Numbers::kLowest);
  }

  // Finds the rows' maxima and, from the largest entries of the lanes of their vectors, thresholds
  // and bounds at or below which no support lies.
  void find_bounds(Scalar const* logits) {
    Floats largest[kRows];
    auto of_group = broadcast<Element>(Numbers::kLowest);
    typename Numbers::Seen seen[kAbreast];
    for (int row = 0; row < kRows; ++row) {
      auto const of_row = scan(logits + row * length_, seen);
      of_group = larger(of_group, of_row);
      largest[row] = Numbers::largest_floats(of_row);
    }
    for (int i = 1; i < kAbreast; ++i) seen[0].add(seen[i]);
    transpose_square<float>(largest);
    maxima_ = largest[0];
    for (int i = 1; i < kRows; ++i) maxima_ = larger(maxima_, largest[i]);
    auto const is_suspect = seen[0].suspects(of_group);
    if (any_lane(is_suspect)) check_rows(logits);
    thresholds_ =
        raise_thresholds(largest, kRows, maxima_, Floats{} - 1.0F, tuning::kPassesForBound);
    bounds_ = maxima_ + thresholds_;
    if (k_ <= kRows) {
      sort_lanes(largest);
      bounds_ = larger(bounds_, largest[k_ - 1]);
    }
  }

  // The largest entries of the lanes of a row's vectors.
  Vector<Element> scan(Scalar const* row, typename Numbers::Seen (&seen)[kAbreast]) {
    Vector<Element> largest[kAbreast];
    std::fill_n(largest, kAbreast, broadcast<Element>(Numbers::kLowest));
    auto const add = [&](int i, Vector<Element> entries) {
      largest[i] = larger(largest[i], entries);
      seen[i].add(entries);
    };
    int64_t column = 0;
    for (; column + kAbreast * kCount <= whole_; column += kAbreast * kCount) {
#pragma GCC unroll 4
      for (int i = 0; i < kAbreast; ++i) add(i, Numbers::of(row + column + i * kCount));
    }
    for (; column < whole_; column += kCount) add(0, Numbers::of(row + column));
    if (whole_ < length_) add(1, load_rest(rest_of(row)));
    return larger(larger(largest[0], largest[1]), larger(largest[2], largest[3]));
  }

  // Gives the rows that are not ordinary a maximum of NaN, so that no comparison holds in them.
  void check_rows(Scalar const* logits) {
    for (int row = 0; row < kRows; ++row) {
      auto const range = range_of(logits + row * length_, length_);
      maxima_[row] = range.is_ordinary() ? range.maximum() : NAN;
    }
  }

  // Marks the entries of each row that reach its bound, and lists them. Returns the length of the
  // longest list, or -1 if it would be too long.
  int64_t collect(Scalar const* logits) {
    int64_t longest = 0;
    for (int row = 0; row < kRows; ++row) {
      Scalar const* const entries = logits + row * length_;
      int64_t const count = mark(row, entries);
      if (count > list_step_ - kBeyond) return -1;
      if (is_compressed_) {
        compress_row(row, entries);
      } else if (length_ <= tuning::kDenseMarks) {
        list_row<tuning::kMarksOfDense>(row, entries);
      } else {
        list_row<tuning::kMarksOfSparse>(row, entries);
      }
      counts_[row] = count;
      longest = std::max(longest, count);
    }
    return longest;
  }

  // Returns how many entries it marked.
  int64_t mark(int row, Scalar const* entries) {
    auto const bound = broadcast<Element>(Numbers::of_one(narrow<Scalar>(bounds_[row])));
    // The next group is asked for here, where memory has nothing else to do. Pages that do not
    // exist take long to be asked for.
    bool const has_next = readable_end_ - entries >= (kRows + 1) * length_;
    Scalar const* const next = entries + (has_next ? kRows * length_ : 0);
    uint64_t* words = marks_.data() + row * words_;
    int64_t count = 0;
    int64_t column = 0;
    for (; column + kWordBits <= whole_; column += kWordBits) {
      uint64_t word = 0;
#pragma GCC unroll 16
      for (int bit = 0; bit < kWordBits; bit += kCount) {
        __builtin_prefetch(next + column + bit);
        uint64_t const bits = bits_at_least(Numbers::of(entries + column + bit), bound);
        word |= bits << bit;
      }
      count += std::popcount(word);
      *words++ = word;
    }
    if (column == length_) return count;
    uint64_t word = 0;
    for (int64_t first = column; column < length_; column += kCount) {
      auto const vector =
          column < whole_ ? Numbers::of(entries + column) : load_rest(rest_of(entries));
      word |= uint64_t{bits_at_least(vector, bound)} << (column - first);
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
    for (int64_t column = 0; column < length_; column += kRows) {
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

  // So many rows as make up whole lines, to be written at once. They are zero between writes.
  void reserve_lines() {
    auto const bytes = length_ * static_cast<int64_t>(sizeof(Scalar));
    rows_of_lines_ = static_cast<int>(kLineBytes / std::gcd(kLineBytes, bytes));
    lines_.reserve(rows_of_lines_ * length_);
    write_zeros(lines_.data(), rows_of_lines_ * length_);
  }

  void write(Scalar* weights) {
    bool const streams = 0 < rows_of_lines_ && rows_of_lines_ <= kRows &&
                         is_whole_lines(weights, rows_of_lines_ * length_);
    for (int row = 0; row < kRows; ++row) {
      Scalar* const to = weights + row * length_;
      if (is_compressed_) {
        streams ? expand_row<true>(row, to) : expand_row<false>(row, to);
      } else if (!streams) {
        write_zeros(to, length_);
        put_row(row, to);
      } else if (row % rows_of_lines_ == 0) {
        write_lines(row, to);
      }
    }
  }

  template <bool Streams>
  void expand_row(int row, Scalar* weights) const {
    if (is_nan(row)) return fill_with_nan(weights);
    float const* list = lists_.data() + row * list_step_;
    auto const next = [&](int64_t column) {
      LaneBits const mask = mask_of(row, column);
      Floats const bits = expand(list, mask);
      list += std::popcount(mask);
      return bits;
    };
    for (int64_t column = 0; column < length_; column += kCount) {
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

  void write_lines(int first, Scalar* weights) {
    Scalar* const lines = lines_.data();
    for (int i = 0; i < rows_of_lines_; ++i) put_row(first + i, lines + i * length_);
    stream_lines(weights, lines, rows_of_lines_ * length_);
    for (int i = 0; i < rows_of_lines_; ++i) clear_row(first + i, lines + i * length_);
  }

  // Puts the weights of a row among zeros.
  void put_row(int row, Scalar* weights) const {
    if (is_nan(row)) return fill_with_nan(weights);
    float const* const list = lists_.data() + row * list_step_;
    int32_t const* const places = places_.data() + row * list_step_;
    for (int64_t i = 0; i < counts_[row]; ++i) {
      std::memcpy(weights + places[i], list + i, sizeof(Scalar));
    }
  }

  void clear_row(int row, Scalar* weights) const {
    if (is_nan(row)) return write_zeros(weights, length_);
    int32_t const* const places = places_.data() + row * list_step_;
    for (int64_t i = 0; i < counts_[row]; ++i) weights[places[i]] = Scalar{};
  }

  bool is_nan(int row) const { return maxima_[row] != maxima_[row]; }

  void fill_with_nan(Scalar* weights) const { std::fill_n(weights, length_, narrow<Scalar>(NAN)); }

  int64_t length_;
  int64_t k_;
  int64_t whole_;      // entries of a row in whole vectors
  int64_t words_;      // of marks of a row
  int64_t list_step_;  // from the list of a row to that of the next
  bool is_compressed_;
  int rows_of_lines_ = 0;
  int groups_to_leave_ = 0;
  Scalar const* readable_end_ = nullptr;
  Floats maxima_;
  Floats thresholds_;
  Floats bounds_;
  int64_t counts_[kRows];
  LaneSupports<Mapping> supports_;
  alignas(kVectorBytes) Scalar rest_[kCount];
  Scratch<float> lists_;
  Scratch<float> columns_;
  Scratch<uint64_t> marks_;
  Scratch<int32_t> places_;
  Scratch<Scalar> lines_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
