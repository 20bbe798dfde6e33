#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
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
// taken one row to a lane, and their weights put back where they came from.
template <template <class> class MappingOf, class Scalar>
class GroupForward {
 public:
  using Mapping = MappingOf<float>;
  static constexpr int kRows = kLanes<float>;

  GroupForward(int64_t length, int64_t k, bool streams)
      : length_(length),
        k_(k),
        whole_(length / kCount * kCount),
        vectors_((length + kCount - 1) / kCount * kFloatVectors),
        mask_step_((vectors_ + kMasks - 1) / kMasks * kMasks),
        list_step_((vectors_ + 1) * kRows),
        supports_(length, k) {
    lists_.reserve(kRows * list_step_);
    columns_.reserve(kRows * list_step_);
    masks_.reserve(kRows * mask_step_);
    std::fill_n(masks_.data(), kRows * mask_step_, LaneBits{});
    if (streams) reserve_lines();
  }

  // `readable` entries from the first on may be read.
  void operator()(Scalar const* logits, Scalar* weights, int64_t readable) {
    readable_end_ = logits + readable;
    find_bounds(logits);
    int64_t const candidates = collect(logits);
    gather(candidates);
    supports_.find(columns(), candidates, maxima_, thresholds_);
    supports_.template weigh<Scalar>(columns(), candidates);
    scatter(candidates);
    write(weights);
  }

 private:
  using Numbers = LaneNumbers<Scalar>;
  using Element = typename Numbers::Element;
  using MaskElement = std::make_signed_t<LaneBits>;
  static constexpr int kCount = kLanes<Element>;          // entries in a vector
  static constexpr int kFloatVectors = kCount / kRows;    // that they become
  static constexpr int64_t kMasks = kLanes<MaskElement>;  // in a vector of them
  static constexpr int kAbreast = 4;                      // vectors that need not wait in turn
  static constexpr int kPassesForBound = 3;

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
    transpose<float>(largest);
    maxima_ = largest[0];
    for (int i = 1; i < kRows; ++i) maxima_ = larger(maxima_, largest[i]);
    auto const is_suspect = seen[0].suspects(of_group);
    if (any_lane(is_suspect)) check_rows(logits);
    thresholds_ = raise_thresholds(largest, kRows, maxima_, Floats{} - 1.0F, kPassesForBound);
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
  // longest list.
  int64_t collect(Scalar const* logits) {
    int64_t longest = 0;
    for (int row = 0; row < kRows; ++row) {
      Scalar const* const first = logits + row * length_;
      mark(row, first);
      float* const list = lists_.data() + row * list_step_;
      int64_t count = 0;
      for_each_mask(row, [&](int64_t i, LaneBits mask) {
        int64_t const column = i * kRows;
        Scalar const* const source =
            column < whole_ ? first + column : rest_of(first) + (column - whole_);
        compress(list + count, widen_lanes(source), mask);
        count += std::popcount(mask);
      });
      counts_[row] = count;
      longest = std::max(longest, count);
    }
    return longest;
  }

  void mark(int row, Scalar const* entries) {
    auto const bound = broadcast<Element>(Numbers::of_one(narrow<Scalar>(bounds_[row])));
    LaneBits* masks = masks_.data() + row * mask_step_;
    auto const mark_vector = [&](Vector<Element> vector) {
      uint32_t const bits = bits_at_least(vector, bound);
      for (int i = 0; i < kFloatVectors; ++i) {
        *masks++ = static_cast<LaneBits>(bits >> (i * kRows) & ((1U << kRows) - 1));
      }
    };
    for (int64_t column = 0; column < whole_; column += kCount) {
      // Memory has nothing else to do here.
      __builtin_prefetch(entries + kRows * length_ + column);
      mark_vector(Numbers::of(entries + column));
    }
    if (whole_ < length_) mark_vector(load_rest(rest_of(entries)));
  }

  // Calls visit(i, mask) for the vectors of a row that have candidates, and maybe for others.
  template <class Visit>
  void for_each_mask(int row, Visit const& visit) const {
    LaneBits const* const masks = masks_.data() + row * mask_step_;
    if (vectors_ <= tuning::kFewVectors) {
      for (int64_t i = 0; i < vectors_; ++i) visit(i, masks[i]);
      return;
    }
    for (int64_t first = 0; first < vectors_; first += kMasks) {
      auto const is_empty = load<MaskElement>(masks + first) == 0;
      auto const hits = lanes_at_least<MaskElement>(is_empty, Vector<MaskElement>{});
      for_each_lane<MaskElement>(hits, [&](int i) { visit(first + i, masks[first + i]); });
    }
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
      transpose<float>(square);
      std::copy_n(square, kRows, columns() + first);
    }
  }

  // The other way.
  void scatter(int64_t longest) {
    for (int64_t first = 0; first < longest; first += kRows) {
      Floats square[kRows];
      std::copy_n(columns() + first, kRows, square);
      transpose<float>(square);
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
    bool const is_whole = whole_ == length_;
    for (int row = 0; row < kRows; ++row) {
      Scalar* const to = weights + row * length_;
      if (vectors_ <= tuning::kFewVectors && is_whole) {
        streams ? write_vectors<true>(row, to) : write_vectors<false>(row, to);
      } else if (!streams) {
        write_zeros(to, length_);
        put(row, to);
      } else if (row % rows_of_lines_ == 0) {
        write_lines(row, to);
      }
    }
  }

  // Writes a row of whole vectors.
  template <bool Streams>
  void write_vectors(int row, Scalar* weights) const {
    if (maxima_[row] != maxima_[row]) return fill_with_nan(weights);
    float const* list = lists_.data() + row * list_step_;
    LaneBits const* masks = masks_.data() + row * mask_step_;
    auto const next = [&] {
      Floats const bits = expand(list, *masks);
      list += std::popcount(*masks++);
      return bits;
    };
    for (int64_t column = 0; column < length_; column += kCount) {
      auto const numbers = [&] {
        if constexpr (kFloatVectors == 1) {
          return next();
        } else {
          auto const low = shortened(next());
          return join(low, shortened(next()));
        }
      }();
      Streams ? stream(weights + column, numbers) : store(weights + column, numbers);
    }
  }

  void write_lines(int first, Scalar* weights) {
    Scalar* const lines = lines_.data();
    for (int i = 0; i < rows_of_lines_; ++i) put(first + i, lines + i * length_);
    stream_lines(weights, lines, rows_of_lines_ * length_);
    for (int i = 0; i < rows_of_lines_; ++i) clear(first + i, lines + i * length_);
  }

  // Writes the weights of a row among zeros.
  void put(int row, Scalar* weights) const {
    if (maxima_[row] != maxima_[row]) return fill_with_nan(weights);
    float const* list = lists_.data() + row * list_step_;
    for_each_mask(row, [&](int64_t i, LaneBits mask) {
      store_vector(weights, i, expand(list, mask));
      list += std::popcount(mask);
    });
  }

  void clear(int row, Scalar* weights) const {
    if (maxima_[row] != maxima_[row]) return write_zeros(weights, length_);
    for_each_mask(row, [&](int64_t i, LaneBits) { store_vector(weights, i, Floats{}); });
  }

  void fill_with_nan(Scalar* weights) const { std::fill_n(weights, length_, narrow<Scalar>(NAN)); }

  static HalfShorts shortened(Floats bits) {
    return __builtin_convertvector(reinterpret_cast<Vector<uint32_t>>(bits), HalfShorts);
  }

  // Stores vector i of a row, whose lanes hold bits of weights.
  void store_vector(Scalar* weights, int64_t i, Floats bits) const {
    if constexpr (kFloatVectors == 1) {
      store_part(weights, i, bits);
    } else {
      store_part(weights, i, shortened(bits));
    }
  }

  template <class VectorType>
  void store_part(Scalar* weights, int64_t i, VectorType const& numbers) const {
    int64_t const count = length_ - i * kRows;
    if (count >= kRows) return store(weights + i * kRows, numbers);
    alignas(kVectorBytes) Scalar part[kRows];
    store(part, numbers);
    std::copy_n(part, std::max<int64_t>(count, 0), weights + i * kRows);
  }

  int64_t length_;
  int64_t k_;
  int64_t whole_;      // entries of a row in whole vectors
  int64_t vectors_;    // of floats
  int64_t mask_step_;  // from the masks of a row to those of the next
  int64_t list_step_;
  int rows_of_lines_ = 0;
  Scalar const* readable_end_ = nullptr;
  Floats maxima_;
  Floats thresholds_;
  Floats bounds_;
  int64_t counts_[kRows];
  LaneSupports<Mapping> supports_;
  alignas(kVectorBytes) Scalar rest_[kCount];
  Scratch<float> lists_;
  Scratch<float> columns_;
  Scratch<LaneBits> masks_;
  Scratch<Scalar> lines_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
