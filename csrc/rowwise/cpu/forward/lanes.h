#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/lanes/columns.h"
#include "rowwise/cpu/lanes/rows.h"
#include "rowwise/cpu/lanes/weights_of_largest.h"
#include "rowwise/cpu/rows/lane_numbers.h"
#include "rowwise/cpu/rows/scan.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/transpose.h"
#include "rowwise/cpu/vectors/vector.h"

// Maps several rows at once, one in each lane of a vector, for small k. No step depends on how a
// row's entries lie, so short rows cost no branches.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Fills a row with NaN if it is not ordinary.
template <class Scalar>
[[gnu::noinline]] void fill_unless_ordinary(Scalar const* logits, Scalar* weights, int64_t length) {
  if (range_of(logits, length).is_ordinary()) return;
  std::fill_n(weights, length, narrow<Scalar>(NAN));
}

// Maps rows that follow each other without a gap.
template <template <class> class MappingOf, class Scalar, int K>
class LaneForward {
 public:
  using Mapping = MappingOf<widened_t<Scalar>>;
  using Fixed = typename Mapping::Fixed;
  static constexpr int kRows = kLanes<key_t<Scalar>>;

  LaneForward(Fixed const& fixed, int64_t length, bool streams)
      : length_(length), fixed_(fixed), rows_(length), streams_(streams) {
    if (streams && length % kRows != 0) block_.reserve(kRows * length);
    if (length <= kColumns<Element>) columns_.reserve(tuning::kTiles * length);
  }

  // How many rows it takes at most: tiles of kRows rows.
  int64_t most_rows() const {
    int64_t const bytes = kRows * length_ * static_cast<int64_t>(sizeof(Scalar));
    return bytes * tuning::kTiles <= tuning::kTiledBytes ? tuning::kTiles * kRows : kRows;
  }

  // Returns the rows that it did not write, as a bit mask: none.
  //
  // While one tile waits for the result of an instruction, another goes on.
  uint64_t operator()(TakenRows<Scalar> const& taken, Scalar* weights) {
    int const tiles = static_cast<int>(taken.rows / kRows);
    taken.prefetch_masks(0, taken.rows);
    int64_t const step = kRows * length_;
    bool const streams = streams_ && is_whole_lines(weights, step);
    if constexpr (K <= tuning::kFewLargest) {
      if (length_ <= kColumns<Element> && std::has_single_bit(static_cast<uint64_t>(length_))) {
        take_whole<kColumns<Element>>(tiles, taken, weights, streams);
        return 0;
      }
    }
    Weights of_tile[tuning::kTiles];
    for (int i = 0; i < tiles; ++i) {
      rows_.find(bits(taken.logits) + i * step, taken.readable - i * step, of_tile[i]);
    }
    for (int i = 0; i < tiles; ++i) weigh(of_tile[i]);
    for (int i = 0; i < tiles; ++i) {
      write(of_tile[i], taken.logits + i * step, weights + i * step, taken.next, streams);
    }
    return 0;
  }

 private:
  // Doubles are compared as numbers, since not every instruction set compares 64-bit integers.
  static constexpr bool kIsDouble = sizeof(Scalar) == sizeof(double);
  using Numbers = std::conditional_t<kIsDouble, LaneNumbers<Scalar>, LaneIntegers<Scalar>>;
  using Rows =
      LaneRows<std::conditional_t<kIsDouble, LaneNumbers<Scalar>, OrderedLanes<key_t<Scalar>>>, K>;
  using Weights = typename Rows::Weights;
  using Element = typename Rows::Element;

  static Element const* bits(Scalar const* x) { return reinterpret_cast<Element const*>(x); }
  static Element* bits(Scalar* x) { return reinterpret_cast<Element*>(x); }

  // Takes rows whose length is `Count` or a smaller power of two.
  template <int Count>
  void take_whole(int tiles, TakenRows<Scalar> const& taken, Scalar* weights, bool streams) {
    if (length_ != Count) {
      if constexpr (Count > 1) take_whole<Count / 2>(tiles, taken, weights, streams);
      return;
    }
    constexpr int64_t kStep = kRows * Count;
    Weights of_tile[tuning::kTiles];
    auto* const columns = reinterpret_cast<Vector<Element>(*)[Count]>(columns_.data());
    for (int i = 0; i < tiles; ++i) {
      Rows::find_whole(bits(taken.logits) + i * kStep, taken.next, columns[i], of_tile[i]);
    }
    for (int i = 0; i < tiles; ++i) weigh(of_tile[i]);
    for (int i = 0; i < tiles; ++i) {
      Rows::write_whole(of_tile[i], columns[i], bits(weights) + i * kStep, streams);
      check(of_tile[i], taken.logits + i * kStep, weights + i * kStep, row_of_lane<Element, Count>);
    }
  }

  [[gnu::noinline]] void weigh(Weights& rows) const {
    weigh_lanes<Mapping, Scalar>(rows, fixed_);
    rows.settle_ties();
    rows.set_suspects(Numbers::suspects(rows.seen(), rows.maxima()));
  }

  void write(Weights& rows, Scalar const* logits, Scalar* weights, int64_t next, bool streams) {
    bool const in_place = !streams || length_ % kRows == 0;
    Scalar* const results = in_place ? weights : block_.data();
    if (streams && in_place) {
      rows_.template write<true>(rows, bits(logits), bits(results), next);
    } else {
      rows_.template write<false>(rows, bits(logits), bits(results), next);
    }
    check(rows, logits, results, [](int lane) { return lane; });
    if (!in_place) stream_lines(weights, results, kRows * length_);
  }

  void check(Weights const& rows, Scalar const* logits, Scalar* weights, int (*row_of)(int)) const {
    for_each_lane(rows.suspects(), [&](int lane) {
      int64_t const first = row_of(lane) * length_;
      fill_unless_ordinary(logits + first, weights + first, length_);
    });
  }

  int64_t length_;
  Fixed fixed_;
  Rows rows_;
  bool streams_;
  Scratch<Scalar> block_;
  Scratch<Vector<Element>> columns_;  // of whole rows
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
