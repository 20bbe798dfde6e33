#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/conversion.h"
#include "rowwise/cpu/lane_numbers.h"
#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/sparse_row.h"
#include "rowwise/cpu/transpose.h"
#include "rowwise/cpu/vector.h"

// Several rows at once, one in each lane of a vector, for small k: no step depends on how a row's
// entries lie, so short rows cost no branches.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

inline constexpr int kMostLargest = 4;

// The K largest entries of as many rows as there are lanes, larger first, lower columns first among
// equals.
template <class Numbers, int K>
struct Largest {
  using Element = typename Numbers::Element;
  using Index = typename Numbers::Index;

  Vector<Element> entries[K];
  Vector<Index> columns[K];
  Vector<Index> column = {};  // of the entry that is added next
  typename Numbers::Seen seen;

  Largest() {
    std::fill_n(entries, K, broadcast<Element>(Numbers::kLowest));
    std::fill_n(columns, K, Vector<Index>{});
  }

  void add(Vector<Element> entry) {
    seen.add(entry);
#pragma GCC unroll 4
    for (int i = K - 1; i > 0; --i) {
      auto const goes_before = entry > entries[i];
      columns[i] = goes_before ? column : columns[i];
      auto const makes_room = entry > entries[i - 1];
      columns[i] = makes_room ? columns[i - 1] : columns[i];
      entries[i] = larger(entries[i], smaller(entries[i - 1], entry));
    }
    columns[0] = entry > entries[0] ? column : columns[0];
    entries[0] = larger(entries[0], entry);
    column += 1;
  }
};

// What the K largest entries weigh.
template <class Mapping, class Scalar, int K>
struct LaneSupport {
  using Numbers = LaneNumbers<Scalar>;
  using Real = widened_t<Scalar>;
  using Index = typename Numbers::Index;
  static constexpr int kRows = kLanes<Index>;

  // An entry that weighs nothing may name the column of one before it.
  alignas(kVectorBytes) Scalar weights[K][kRows];
  alignas(kVectorBytes) Index columns[K][kRows];
  uint64_t suspects;  // the lanes of rows that may not be ordinary

  LaneSupport(Largest<Numbers, K> const& largest, typename Mapping::Fixed const& fixed) {
    alignas(kVectorBytes) Real logits[K][kRows];
    for (int i = 0; i < K; ++i) {
      Numbers::widen_to(logits[i], largest.entries[i]);
      store(columns[i], largest.columns[i]);
    }
    auto const is_suspect = largest.seen.suspects(largest.entries[0]);
    suspects = lanes_at_least<Index>(broadcast<Index>(-1), is_suspect);
    if constexpr (std::is_same_v<Real, double>) {
      for (int row = 0; row < kRows; ++row) weigh_one(logits, row, fixed);
    } else {
      for (int row = 0; row < kRows; row += kLanes<double>) weigh(logits, row, fixed);
    }
  }

  // Calls visit(row, i) for each entry, so that later calls go before earlier ones.
  template <class Visit>
  static void for_each(Visit const& visit) {
    for (int i = K - 1; i >= 0; --i) {
      for (int row = 0; row < kRows; ++row) visit(row, i);
    }
  }

 private:
  void weigh(Real const (&logits)[K][kRows], int first, typename Mapping::Fixed const& fixed) {
    Doubles entries[K];
    Doubles results[K];
    for (int i = 0; i < K; ++i) entries[i] = load_doubles(logits[i] + first);
    Mapping::weights_of_largest(entries, fixed, results);
    for (int i = 0; i < K; ++i) narrow_doubles(results[i], weights[i] + first);
  }

  // By sums of more than a double holds.
  void weigh_one(Real const (&logits)[K][kRows], int row, typename Mapping::Fixed const& fixed) {
    Mapping const mapping(logits[0][row], fixed);
    typename Mapping::Term terms[K];
    typename Mapping::Sum sum;
    auto threshold = mapping.lowest_threshold();
    int count = 0;
    for (; count < K && logits[count][row] >= mapping.lower_bound(); ++count) {
      terms[count] = mapping.term(logits[count][row]);
      auto longer_sum = sum;
      longer_sum.add(terms[count]);
      auto const longer_threshold = mapping.threshold(longer_sum);
      if (!mapping.is_above(terms[count], longer_threshold)) break;
      sum = longer_sum;
      threshold = longer_threshold;
    }
    for (int i = 0; i < K; ++i) {
      weights[i][row] = i < count ? mapping.weight(terms[i], threshold) : 0;
    }
  }
};

// Rows that follow each other without a gap, as many as there are lanes.
template <template <class> class MappingOf, class Scalar, int K>
class LaneForward {
 public:
  using Mapping = MappingOf<widened_t<Scalar>>;
  using Support = LaneSupport<Mapping, Scalar, K>;
  static constexpr int kRows = Support::kRows;

  LaneForward(int64_t length, bool streams) : length_(length), fixed_(length), streams_(streams) {
    if (streams) block_.reserve(kRows * length);
  }

  // `readable` entries from the first on may be read. Returns true: the rows were written.
  bool operator()(Scalar const* logits, Scalar* weights, int64_t readable) {
    Support const support(find_largest(logits, readable), fixed_);
    bool const streams = streams_ && is_whole_lines(weights, kRows * length_);
    Scalar* const block = streams ? block_.data() : weights;
    write_zeros(block, kRows * length_);
    Support::for_each([&](int row, int i) {
      block[row * length_ + support.columns[i][row]] = support.weights[i][row];
    });
    for_each_lane<Index>(support.suspects, [&](int row) {
      if (range_of(logits + row * length_, length_).is_ordinary()) return;
      std::fill_n(block + row * length_, length_, narrow<Scalar>(NAN));
    });
    if (streams) stream_lines(weights, block, kRows * length_);
    return true;
  }

 private:
  using Numbers = LaneNumbers<Scalar>;
  using Element = typename Numbers::Element;
  using Index = typename Numbers::Index;

  Largest<Numbers, K> find_largest(Scalar const* rows, int64_t readable) const {
    Largest<Numbers, K> largest;
    if (length_ < kRows && std::has_single_bit(static_cast<uint64_t>(length_))) {
      add_whole<kRows / 2>(largest, rows);
      return largest;
    }
    int64_t column = 0;
    for (; column + kRows <= length_; column += kRows) {
      add_square(largest, rows, column);
    }
    if (column == length_) return largest;
    int64_t const first = std::max<int64_t>(0, length_ - kRows);
    if ((kRows - 1) * length_ + first + kRows <= readable) {
      add_rest(largest, rows, first, column);
    } else {
      for (; column < length_; ++column) {
        Vector<Element> entry;
        for (int row = 0; row < kRows; ++row) {
          entry[row] = Numbers::of_one(rows[row * length_ + column]);
        }
        largest.add(entry);
      }
    }
    return largest;
  }

  // Adds whole rows, if they are of `Count` entries or of a smaller power of two.
  template <int Count>
  void add_whole(Largest<Numbers, K>& largest, Scalar const* rows) const {
    if (length_ != Count) {
      if constexpr (Count > 1) add_whole<Count / 2>(largest, rows);
      return;
    }
    Vector<Element> columns[Count];
    for (int i = 0; i < Count; ++i) columns[i] = Numbers::of(rows + i * kRows);
    if constexpr (Count > 1) transpose<Element>(columns);
#pragma GCC unroll 16
    for (int i = 0; i < Count; ++i) largest.add(columns[i]);
  }

  void load_square(Vector<Element> (&square)[kRows], Scalar const* first) const {
    for (int row = 0; row < kRows; ++row) square[row] = Numbers::of(first + row * length_);
    transpose<Element>(square);
  }

  void add_square(Largest<Numbers, K>& largest, Scalar const* rows, int64_t column) const {
    Vector<Element> square[kRows];
    load_square(square, rows + column);
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) {
      // One of the lines of the next rows: neither the square's loads nor the processor's own
      // prefetchers, which see a stride, keep memory busy.
      __builtin_prefetch(rows + (kRows + i) * length_ + column);
      largest.add(square[i]);
    }
  }

  // Adds the columns from `column` on of the square that begins at column `first`.
  [[gnu::noinline]] void add_rest(Largest<Numbers, K>& largest, Scalar const* rows, int64_t first,
                                  int64_t column) const {
    Vector<Element> square[kRows];
    load_square(square, rows + first);
    for (; column < length_; ++column) largest.add(square[column - first]);
  }

  int64_t length_;
  typename Mapping::Fixed fixed_;
  bool streams_;
  Scratch<Scalar> block_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
