#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "rowwise/cpu/rows/row_vectors.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/compression.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/transpose.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The candidates of the rows of a group. A mask for each vector of floats says where they are.
// Lists hold them row by row, and columns hold the same lists one to a lane.
template <class Scalar>
class GroupCandidates {
 public:
  static constexpr int kRows = kLanes<float>;

  // `rows` has to outlive this object.
  GroupCandidates(RowVectors<Scalar>& rows, int64_t k)
      : rows_(rows),
        k_(k),
        vectors_((rows.length() + kRows - 1) / kRows),
        most_hits_(static_cast<int64_t>(static_cast<double>(vectors_) * tuning::kPartOfCrowded)),
        mask_step_((vectors_ + kMasks - 1) / kMasks * kMasks),
        longest_(std::min(rows.length(), tuning::kLongestListOfGroup)),
        list_step_(longest_ + 2 * kRows) {
    masks_.reserve(kRows * mask_step_);
    std::fill_n(masks_.data(), kRows * mask_step_, LaneBits{0});
    places_.reserve(kRows * (vectors_ + kUsualHits));
    lists_.reserve(kRows * list_step_);
    columns_.reserve(kRows * (longest_ + kRows));
  }

  // Lists the entries of each row that reach its bound. Where they are many more than k, entries
  // that equal the bound and lose every tie are left out. Returns the length of the longest list,
  // or -1 if one is too long.
  int64_t collect(Scalar const* logits, Floats bounds) {
    int64_t const length = rows_.length();
    bool const is_short = vectors_ <= tuning::kFewVectors;
    if (!is_short) {
      for (int row = 0; row < kRows; ++row) mark(row, logits + row * length, bounds[row]);
    }
    int64_t longest = 0;
    has_dropped_ties_ = false;
    for (int row = 0; row < kRows; ++row) {
      Scalar const* const entries = logits + row * length;
      int64_t count = is_short ? list_short(row, entries, bounds[row]) : list(row, entries);
      if (count > tuning::kTimesLimit * k_ + kRows) {
        unmark_ties(row, entries, bounds[row]);
        int64_t const with_ties = count;
        count = list(row, entries);
        has_dropped_ties_ = has_dropped_ties_ || count < with_ties;
      }
      if (count > longest_) return -1;
      longest = std::max(longest, count);
    }
    return longest;
  }

  Floats* columns() { return reinterpret_cast<Floats*>(columns_.data()); }

  // Copies the lists to the columns.
  void gather(int64_t longest) {
    for (int row = 0; row < kRows; ++row) {
      for (int64_t i = counts_[row]; i < longest; i += kRows) {
        store(list_of(row) + i, Floats{} - INFINITY);
      }
    }
    for (int64_t first = 0; first < longest; first += kRows) {
      Floats square[kRows];
      for (int row = 0; row < kRows; ++row) square[row] = load<float>(list_of(row) + first);
      transpose_square<float>(square);
      std::copy_n(square, kRows, columns() + first);
    }
  }

  // Copies the columns to the lists.
  [[gnu::noinline]] void scatter(int64_t longest) {
    for (int64_t first = 0; first < longest; first += kRows) {
      Floats square[kRows];
      std::copy_n(columns() + first, kRows, square);
      transpose_square<float>(square);
      for (int row = 0; row < kRows; ++row) store(list_of(row) + first, square[row]);
    }
  }

  // Whether some entries that equal their row's bound were left out.
  bool has_dropped_ties() const { return has_dropped_ties_; }

  // Whether so many vectors of the row hold candidates that all of its vectors are taken.
  bool is_crowded(int row) const { return hits_[row] > most_hits_; }

  // Writes a row, whose list now holds the bits of weights, in whole vectors, the last of which
  // extends beyond the row. Prefetches a later row.
  template <bool Streams>
  void expand_all(int row, Scalar* weights, RowAhead<Scalar> ahead) const {
    float const* list = list_of(row);
    LaneBits const* const masks = masks_of(row);
    four_by_four(rows_.count(), [&](int64_t i) {
      ahead.prefetch(i);
      auto const numbers = next_weights(masks + i * kFloatVectors, list);
      Scalar* const to = weights + i * kCount;
      Streams ? stream(to, numbers) : store(to, numbers);
    });
  }

  // Writes only the vectors with candidates, over a row of zeros.
  void expand_marked(int row, Scalar* weights) const {
    float const* list = list_of(row);
    LaneBits const* const masks = masks_of(row);
    int32_t const* const places = places_of(row);
    four_by_four(hits_[row], [&](int64_t i) {
      int64_t const vector = places[i];
      store(weights + vector * kRows, next_numbers(masks[vector], list));
    });
  }

  // Writes zeros over these vectors again.
  void clear_marked(int row, Scalar* weights) const {
    int32_t const* const places = places_of(row);
    float const* nothing = nullptr;
    using Numbers = decltype(next_numbers(0, nothing));
    four_by_four(hits_[row], [&](int64_t i) { store(weights + places[i] * kRows, Numbers{}); });
  }

 private:
  using Numbers = typename RowVectors<Scalar>::Numbers;
  using Element = typename Numbers::Element;
  using Masks = std::make_signed_t<LaneBits>;
  static constexpr int kCount = kLanes<Element>;        // entries in a vector
  static constexpr int kFloatVectors = kCount / kRows;  // vectors of floats that one becomes
  static constexpr int kMasks = kLanes<Masks>;          // masks in a vector
  static constexpr int kUsualHits = kMasks / tuning::kVectorsOfHit;
  static constexpr LaneBits kAllRows = (1U << kRows) - 1;

  LaneBits* masks_of(int row) { return masks_.data() + row * mask_step_; }
  LaneBits const* masks_of(int row) const { return masks_.data() + row * mask_step_; }
  int32_t* places_of(int row) { return places_.data() + row * (vectors_ + kUsualHits); }
  int32_t const* places_of(int row) const { return places_.data() + row * (vectors_ + kUsualHits); }
  float* list_of(int row) { return lists_.data() + row * list_step_; }
  float const* list_of(int row) const { return lists_.data() + row * list_step_; }

  static void store_masks(LaneBits* masks, uint64_t lanes) {
    if constexpr (kRows % 8 == 0) {
      std::memcpy(masks, &lanes, kFloatVectors * sizeof(LaneBits));
    } else {
      for (int i = 0; i < kFloatVectors; ++i) {
        masks[i] = static_cast<LaneBits>(lanes >> (i * kRows) & kAllRows);
      }
    }
  }

  void mark(int row, Scalar const* entries, float bound) {
    auto const least = broadcast<Element>(Numbers::least_of(narrow<Scalar>(bound)));
    LaneBits* const masks = masks_of(row);
    four_by_four(rows_.whole() / kCount, [&](int64_t i) {
      store_masks(masks + i * kFloatVectors,
                  lanes_at_least<Element>(Numbers::of(entries + i * kCount), least));
    });
    if (rows_.has_rest()) {
      store_masks(masks + rows_.whole() / kRows,
                  lanes_at_least<Element>(rows_.load_rest(entries), least));
    }
  }

  // Unmarks the entries that equal the bound in the vectors after k marked entries, since they lose
  // every tie.
  [[gnu::noinline]] void unmark_ties(int row, Scalar const* entries, float bound) {
    auto const least = Numbers::least_of(narrow<Scalar>(bound));
    auto const more = broadcast<Element>(Numbers::after(least));
    LaneBits* const masks = masks_of(row);
    int64_t count = 0;
    for (int64_t column = 0; column < rows_.length(); column += kCount) {
      auto const vector =
          column < rows_.whole() ? Numbers::of(entries + column) : rows_.load_rest(entries);
      uint64_t const lanes =
          lanes_at_least<Element>(vector, count < k_ ? broadcast<Element>(least) : more);
      count += std::popcount(lanes);
      store_masks(masks + column / kRows, lanes);
    }
  }

  // Finds the vectors of floats that hold candidates. For each vector of masks, the first
  // kUsualHits of them are taken without a branch.
  int64_t find_hits(int row) {
    LaneBits const* const masks = masks_of(row);
    int32_t* const places = places_of(row);
    int64_t count = 0;
    for (int64_t first = 0; first < vectors_; first += kMasks) {
      uint64_t hits = lanes_not_zero<Masks>(load<Masks>(masks + first));
      int const more = std::popcount(hits);
      auto const take = [&](int i) {
        places[count + i] = static_cast<int32_t>(first + std::countr_zero(hits));
        hits &= hits - 1;
      };
#pragma GCC unroll 8
      for (int i = 0; i < kUsualHits; ++i) take(i);
      for (int i = kUsualHits; i < more; ++i) take(i);
      count += more;
    }
    return count;
  }

  int64_t count_marks(int row) const {
    LaneBits const* const masks = masks_of(row);
    int64_t count = 0;
    for (int64_t i = 0; i < vectors_; i += 8 / sizeof(LaneBits)) {
      count += std::popcount(load_as<uint64_t>(masks + i));
    }
    return count;
  }

  // Lists the candidates of a row of few vectors, most of which hold some, in one pass.
  int64_t list_short(int row, Scalar const* entries, float bound) {
    LaneBits* const masks = masks_of(row);
    float* const list = list_of(row);
    float* next = list;
    auto const least = broadcast<float>(bound);
    auto const add = [&](int64_t vector, Floats z, LaneBits of_row) {
      auto const mask = static_cast<LaneBits>(lanes_at_least<float>(z, least) & of_row);
      masks[vector] = mask;
      compress(next, z, mask);
      next += std::popcount(mask);
    };
    int64_t const whole = rows_.length() / kRows;
    four_by_four(whole, [&](int64_t i) { add(i, widen_lanes(entries + i * kRows), kAllRows); });
    if (whole < vectors_) {
      add(whole, rest_floats(entries), kAllRows >> (vectors_ * kRows - rows_.length()));
    }
    hits_[row] = vectors_;
    counts_[row] = next - list;
    return next - list;
  }

  // The row's last floats, which are less than a vector, and others that mean nothing.
  Floats rest_floats(Scalar const* entries) {
    return widen_lanes(rows_.rest_of(entries) + (rows_.length() / kRows * kRows - rows_.whole()));
  }

  // Lists the marked entries and returns how many there are. If these are more than a list holds,
  // it lists none.
  int64_t list(int row, Scalar const* entries) {
    int64_t const hits = find_hits(row);
    if (hits * kRows > longest_) {
      int64_t const count = count_marks(row);
      if (count > longest_) return count;
    }
    hits_[row] = hits;
    LaneBits const* const masks = masks_of(row);
    int32_t const* const places = places_of(row);
    float* const list = list_of(row);
    float* next = list;
    auto const add = [&](int64_t vector, Floats z) {
      compress(next, z, masks[vector]);
      next += std::popcount(masks[vector]);
    };
    int64_t const whole = rows_.length() / kRows;
    if (is_crowded(row)) {
      four_by_four(whole, [&](int64_t i) { add(i, widen_lanes(entries + i * kRows)); });
    } else {
      bool const has_rest = whole < vectors_ && masks[whole] != 0;
      four_by_four(hits - (has_rest ? 1 : 0), [&](int64_t i) {
        int64_t const vector = places[i];
        add(vector, widen_lanes(entries + vector * kRows));
      });
    }
    if (whole < vectors_) add(whole, rest_floats(entries));
    counts_[row] = next - list;
    return next - list;
  }

  // Takes the next weights from a list of their bits, as many as a vector of floats has lanes.
  static auto next_numbers(LaneBits mask, float const*& list) {
    auto const bits = expand(list, mask);
    list += std::popcount(mask);
    if constexpr (kFloatVectors == 1) {
      return bits;
    } else {
      return shortened(reinterpret_cast<Vector<uint32_t>>(bits));
    }
  }

  static auto next_weights(LaneBits const* masks, float const*& list) {
    auto const low = next_numbers(masks[0], list);
    if constexpr (kFloatVectors == 1) {
      return low;
    } else {
      return join(low, next_numbers(masks[1], list));
    }
  }

  RowVectors<Scalar>& rows_;
  int64_t k_;
  int64_t vectors_;    // of floats in a row
  int64_t most_hits_;  // with more, all vectors are taken
  int64_t mask_step_;  // from the masks of a row to those of the next
  int64_t longest_;    // most candidates of a list
  int64_t list_step_;  // from the list of a row to that of the next
  bool has_dropped_ties_ = false;
  int64_t counts_[kRows];
  int64_t hits_[kRows];  // vectors with candidates
  Scratch<LaneBits> masks_;
  Scratch<int32_t> places_;  // of vectors with candidates
  Scratch<float> lists_;
  Scratch<float> columns_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
