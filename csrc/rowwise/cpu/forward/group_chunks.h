#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <limits>

#include "rowwise/cpu/rows/row_vectors.h"
#include "rowwise/cpu/rows/scan.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/sort_lanes.h"
#include "rowwise/cpu/vectors/transpose.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The rows of a group in chunks of a few vectors, whose largest entries, lane by lane, tell which
// chunks hold the largest entries of a row. There are as many rows as a vector has floats, and they
// follow each other without a gap.
template <class Scalar>
class GroupChunks {
 public:
  static constexpr int kRows = kLanes<float>;

  GroupChunks(int64_t length, int64_t k)
      : rows_(length),
        delegates_(k <= kFewDelegates * tuning::kLimitPerDelegate ? kFewDelegates : kMostDelegates),
        step_(rows_.count() < 2 * kFewestChunks   ? 1
              : rows_.count() < 4 * kFewestChunks ? 2
                                                  : kMostStep),
        chunks_((rows_.count() + step_ - 1) / step_) {
    maxima_.reserve(kRows * chunks_);
    delegates_of_rows_.reserve(kRows * delegates_);
    sorted_.reserve(delegates_);
  }

  // Reads the rows once. `readable` entries from `logits` on may be read.
  [[gnu::noinline]] void scan(Scalar const* logits, int64_t readable) {
    rows_.set_readable(logits + readable);
    seen_ = {};
    switch (step_) {
      case 1:
        scan_rows<1>(logits);
        break;
      case 2:
        scan_rows<2>(logits);
        break;
      default:
        scan_rows<kMostStep>(logits);
    }
    sort_delegates();
    find_nan_rows(logits);
  }

  // The rows that are not ordinary, as a bit mask. The numbers below mean nothing for them.
  uint64_t nan_rows() const { return nan_rows_; }

  Floats maxima() const { return sorted_.data()[0]; }

  // Each row's k-th largest delegate. Delegates are entries, each the largest of others, so at
  // least k entries of the row reach it.
  Floats limit(int k) const { return sorted_.data()[k - 1]; }

  // Lists the entries of a row that reach the bound, in order, and their columns. Returns how many
  // there are, or -1 if they are more than `most`. Up to 2 numbers more are written. Prefetches the
  // row that begins at `ahead`.
  int list(int row, Scalar const* entries, float bound, RowAhead<Scalar> ahead, int most,
           float* listed, int32_t* columns) {
    switch (step_) {
      case 1:
        return list_by<1>(row, entries, bound, ahead, most, listed, columns);
      case 2:
        return list_by<2>(row, entries, bound, ahead, most, listed, columns);
      default:
        return list_by<kMostStep>(row, entries, bound, ahead, most, listed, columns);
    }
  }

 private:
  using Numbers = typename RowVectors<Scalar>::Numbers;
  using Element = typename Numbers::Element;
  static constexpr int kCount = kLanes<Element>;              // entries in a vector
  static constexpr int kMostStep = std::min(4, 64 / kCount);  // A mask of a chunk has 64 bits.
  static constexpr int kFewestChunks = 8;
  static constexpr int64_t kHits = 64;  // chunks of which a mask is made at once
  static constexpr int kFewDelegates = 32;
  static constexpr int kMostDelegates = 64;

  static Vector<Element> lowest() { return broadcast<Element>(Numbers::kLowest); }

  Vector<Element> load(Scalar const* entries, int64_t vector) {
    bool const is_whole = (vector + 1) * kCount <= rows_.length();
    return is_whole ? Numbers::of(entries + vector * kCount) : rows_.load_rest(entries);
  }

  // Every so many chunks share delegates, which stay in registers.
  template <int Step, int Delegates>
  [[gnu::noinline]] void scan_row(int row, Scalar const* entries) {
    constexpr int kAbreast = Delegates / kCount;
    Vector<Element> delegates[kAbreast];
    std::fill_n(delegates, kAbreast, lowest());
    Vector<Element>* const maxima = maxima_.data() + row * chunks_;
    typename Numbers::Seen seen[Step];  // which do not wait for each other
    int64_t const whole = rows_.length() / (Step * kCount);
    int64_t chunk = 0;
    for (; chunk + kAbreast <= whole; chunk += kAbreast) {
#pragma GCC unroll 16
      for (int i = 0; i < kAbreast; ++i) {
        maxima[chunk + i] = largest_of_chunk<Step>(entries, chunk + i, seen);
        delegates[i] = larger(delegates[i], maxima[chunk + i]);
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < kAbreast; ++i) {
      if (chunk == chunks_) break;
      maxima[chunk] = chunk < whole ? largest_of_chunk<Step>(entries, chunk, seen)
                                    : largest_of_rest(entries, chunk * Step, seen[0]);
      delegates[i] = larger(delegates[i], maxima[chunk]);
      ++chunk;
    }
    // These are no loop, so that the sums stay in registers.
    seen_.add(seen[0]);
    if constexpr (Step > 1) seen_.add(seen[1]);
    if constexpr (Step > 2) {
      seen_.add(seen[2]);
      seen_.add(seen[3]);
    }
    float* const to = delegates_of_rows_.data() + row * Delegates;
#pragma GCC unroll 16
    for (int i = 0; i < kAbreast; ++i) Numbers::widen_to(to + i * kCount, delegates[i]);
  }

  template <int Step>
  [[gnu::always_inline]] static Vector<Element> largest_of_chunk(
      Scalar const* entries, int64_t chunk, typename Numbers::Seen (&seen)[Step]) {
    auto largest = lowest();
#pragma GCC unroll 4
    for (int i = 0; i < Step; ++i) {
      auto const numbers = Numbers::of(entries + (chunk * Step + i) * kCount);
      seen[i].add(numbers);
      largest = i == 0 ? numbers : larger(largest, numbers);
    }
    return largest;
  }

  Vector<Element> largest_of_rest(Scalar const* entries, int64_t vector,
                                  typename Numbers::Seen& seen) {
    auto largest = lowest();
    for (; vector < rows_.count(); ++vector) {
      auto const numbers = load(entries, vector);
      seen.add(numbers);
      largest = larger(largest, numbers);
    }
    return largest;
  }

  template <int Step>
  void scan_rows(Scalar const* logits) {
    auto const scan = delegates_ == kFewDelegates ? &GroupChunks::scan_row<Step, kFewDelegates>
                                                  : &GroupChunks::scan_row<Step, kMostDelegates>;
    for (int row = 0; row < kRows; ++row) (this->*scan)(row, logits + row * rows_.length());
  }

  void sort_delegates() {
    Floats* const sorted = sorted_.data();
    for (int first = 0; first < delegates_; first += kRows) {
      Floats square[kRows];
      for (int row = 0; row < kRows; ++row) {
        square[row] =
            cpu::ZETA_CAPABILITY::load<float>(delegates_of_rows_.data() + row * delegates_ + first);
      }
      transpose_square<float>(square);
      std::copy_n(square, kRows, sorted + first);
    }
    sort_many_lanes(sorted, delegates_);
  }

  void find_nan_rows(Scalar const* logits) {
    nan_rows_ = 0;
    auto const lowest = broadcast(-std::numeric_limits<float>::infinity());
    Floats const largest = maxima();
    // `seen_` is of all rows together, so it does not tell of a row that holds nothing but -inf.
    bool const is_suspect = lanes_at_least<float>(lowest, largest) != 0 || has_suspects();
    for (int row = 0; is_suspect && row < kRows; ++row) {
      auto const range = range_of(logits + row * rows_.length(), rows_.length());
      nan_rows_ |= static_cast<uint64_t>(!range.is_ordinary()) << row;
    }
  }

  bool has_suspects() const {
    auto largest = maxima_.data()[0];
    for (int64_t i = 1; i < kRows * chunks_; ++i) largest = larger(largest, maxima_.data()[i]);
    using Lane = key_t<Scalar>;
    return lanes_at_least<Lane>(broadcast<Lane>(-1), seen_.suspects(largest)) != 0;
  }

  template <int Step>
  [[gnu::noinline]] int list_by(int row, Scalar const* entries, float bound, RowAhead<Scalar> ahead,
                                int most, float* listed, int32_t* columns) {
    auto const least = broadcast<Element>(Numbers::least_of(narrow<Scalar>(bound)));
    Vector<Element> const* const maxima = maxima_.data() + row * chunks_;
    int count = 0;
    for (int64_t first = 0; first < chunks_; first += kHits) {
      uint64_t hits = 0;
      for (int64_t i = 0; i < std::min(kHits, chunks_ - first); ++i) {
        for (int j = 0; j < Step; ++j) ahead.prefetch((first + i) * Step + j);
        bool const is_hit = lanes_at_least<Element>(maxima[first + i], least) != 0;
        hits |= static_cast<uint64_t>(is_hit) << i;
      }
      for (; hits != 0; hits &= hits - 1) {
        int64_t const chunk = first + std::countr_zero(hits);
        uint64_t mask = mask_of<Step>(entries, chunk, least);
        int const in_chunk = std::popcount(mask);
        if (count + in_chunk > most) return -1;
        auto const add = [&](int i) {
          int64_t const column = chunk * Step * kCount + std::countr_zero(mask);
          listed[count + i] = widen(entries[column]);
          columns[count + i] = static_cast<int32_t>(column);
        };
        // Few chunks hold more than two, so these take no branch.
        add(0);
        mask = in_chunk > 1 ? mask & (mask - 1) : mask;
        add(1);
        for (int i = 2; i < in_chunk; ++i) {
          mask &= mask - 1;
          add(i);
        }
        count += in_chunk;
      }
    }
    return count;
  }

  // The entries of a chunk that reach the least, as a bit mask.
  template <int Step>
  uint64_t mask_of(Scalar const* entries, int64_t chunk, Vector<Element> least) {
    uint64_t mask = 0;
    if ((chunk + 1) * Step * kCount <= rows_.length()) {
      Scalar const* const first = entries + chunk * Step * kCount;
#pragma GCC unroll 4
      for (int i = 0; i < Step; ++i) {
        mask |= lanes_at_least<Element>(Numbers::of(first + i * kCount), least) << (i * kCount);
      }
      return mask;
    }
    for (int64_t i = 0; chunk * Step + i < rows_.count(); ++i) {
      mask |= lanes_at_least<Element>(load(entries, chunk * Step + i), least) << (i * kCount);
    }
    return mask;
  }

  RowVectors<Scalar> rows_;
  int delegates_;   // of a row
  int64_t step_;    // vectors of a chunk
  int64_t chunks_;  // of a row
  typename Numbers::Seen seen_;
  uint64_t nan_rows_ = 0;
  Scratch<Vector<Element>> maxima_;   // of chunks
  Scratch<float> delegates_of_rows_;  // the largest of every so many chunks, lane by lane
  Scratch<Floats> sorted_;            // delegates, one row to a lane
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
