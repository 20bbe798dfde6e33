#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/select.cuh"
#include "rowwise/cuda/stages/words.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"

// Lists candidates of rows that lie side by side. A part of a row is every `parts`-th of its
// entries and belongs to one thread, which lists those that may be in the support. A thread has a
// part of one row, or of two rows whose entries form a word. The lists are in shared memory. The
// parts of a row tell each other by their maxima how large such an entry has to be.
namespace zeta::rowwise::cuda {

// How a block's threads share a tile of neighbouring rows, and what a list holds.
struct ColumnTiles {
  int threads_per_part;  // each has its own rows
  int parts;
  int capacity;
  bool is_paired;  // two rows of 16 bits may be read and written as one word
};

// What replaces the count of a list that did not hold its candidates, and the count of a row's
// first list once the row is known to be NaN.
inline constexpr int kCrowdedList = -1;
inline constexpr int kNaNColumnRow = -2;

// The list of one part of one row. A place is the index of a word in the lists of the block. In a
// warp's lists, an entry takes 32 words, one for each lane, for each of these:
// - float: its bits; its step;
// - double: its low bits; its high bits; its step;
// - 16 bits: bits and step of the first row's entry; those of the second row's entry.
template <class Scalar>
class ColumnList {
 public:
  using Word = word_t<Scalar>;
  using Real = widened_t<Scalar>;
  static constexpr int kNext = column_entry_words(sizeof(Scalar)) * kWarpThreads;

  __device__ ColumnList(uint32_t* lists, int capacity, int thread, int row)
      : words_(lists),
        first_(thread / kWarpThreads * column_list_words(sizeof(Scalar), capacity) +
               thread % kWarpThreads + row * kWarpThreads) {}

  // Returns the place of entry i.
  __device__ int place(int i) const { return first_ + i * kNext; }
  __device__ int entries_up_to(int place) const { return (place - first_) / kNext; }

  // Returns a word for other uses, once the list is no longer read.
  __device__ uint32_t& word(int place) const { return words_[place]; }

  __device__ Scalar entry(int place) const {
    if constexpr (sizeof(Scalar) == 2) {
      return {static_cast<uint16_t>(words_[place] >> 16)};
    } else if constexpr (sizeof(Scalar) == 4) {
      return rowwise::detail::float_from_bits(words_[place]);
    } else {
      return rowwise::detail::from_signed_bits<double>(
          static_cast<int64_t>(words_[place] | uint64_t{words_[place + kWarpThreads]} << 32));
    }
  }

  // Returns the entry, or infinity for NaN. Either makes a row NaN.
  __device__ Real value(int place) const {
    return smaller(widen(entry(place)), static_cast<Real>(INFINITY));
  }

  __device__ int step(int place) const {
    uint32_t const word = words_[place + kStep];
    return static_cast<int>(sizeof(Scalar) == 2 ? word & kNoStep : word);
  }

  // Writes the number of `word` that belongs to `row`, and its step.
  __device__ void put(int place, Word word, int row, int step) const {
    auto const step_bits = static_cast<uint32_t>(step);
    if constexpr (sizeof(Scalar) == 2) {
      words_[place] = (row == 0 ? word.bits << 16 : word.bits & 0xffff0000U) | step_bits;
    } else if constexpr (sizeof(Scalar) == 4) {
      words_[place] = rowwise::detail::bits_of(word);
      words_[place + kStep] = step_bits;
    } else {
      auto const bits = static_cast<uint64_t>(rowwise::detail::signed_bits(word));
      words_[place] = static_cast<uint32_t>(bits);
      words_[place + kWarpThreads] = static_cast<uint32_t>(bits >> 32);
      words_[place + kStep] = step_bits;
    }
  }

  __device__ void move(int from, int to) const {
#pragma unroll
    for (int i = 0; i <= kStep; i += kWarpThreads) words_[to + i] = words_[from + i];
  }

  __device__ void discard(int place) const { words_[place + kStep] = kNoStep; }
  __device__ bool is_discarded(int place) const { return step(place) == static_cast<int>(kNoStep); }

 private:
  static constexpr uint32_t kNoStep = sizeof(Scalar) == 2 ? kMostColumnSteps : UINT32_MAX;
  static constexpr int kStep = sizeof(Scalar) == 2 ? 0 : kNext - kWarpThreads;

  uint32_t* words_;
  int first_;
};

// The shared memory of a block, of column_warp_bytes() for each warp.
template <class Scalar>
class ColumnMemory {
 public:
  using Word = word_t<Scalar>;
  static constexpr int kRows = kPerWord<Scalar>;

  __device__ ColumnMemory(void* memory, ColumnTiles const& tiles)
      : tiles_(tiles),
        maxima_(static_cast<Bits*>(memory)),
        counts_(reinterpret_cast<int*>(maxima_ + kMaximaPerPart * blockDim.x)),
        lists_(reinterpret_cast<uint32_t*>(counts_ + kRows * blockDim.x)) {}

  __device__ ColumnTiles const& tiles() const { return tiles_; }
  __device__ int thread_of(int part, int place) const {
    return part * tiles_.threads_per_part + place;
  }

  // A maximum of a thread, which others may read at any time: whatever they see is the maximum of
  // some of its entries. The accesses race, so they are atomic.
  __device__ void set_maximum(int thread, int number, Word word) const {
    atomicExch(&maxima_[number * blockDim.x + thread], bits_of_maximum(word));
  }
  __device__ Word maximum(int thread, int number) const {
    Bits const bits = atomicOr(&maxima_[number * blockDim.x + thread], Bits{0});
    if constexpr (sizeof(Scalar) == 8) {
      return rowwise::detail::from_signed_bits<double>(static_cast<int64_t>(bits));
    } else {
      return word_from_bits<Word>(bits);
    }
  }

  __device__ int& count(int thread, int row) const { return counts_[thread * kRows + row]; }
  __device__ ColumnList<Scalar> list(int thread, int row) const {
    return {lists_, tiles_.capacity, thread, row};
  }
  __device__ void* memory_of_lists() const { return lists_; }

 private:
  using Bits = std::conditional_t<sizeof(Scalar) == 8, unsigned long long, unsigned>;

  __device__ static Bits bits_of_maximum(Word word) {
    if constexpr (sizeof(Scalar) == 8) {
      return static_cast<Bits>(rowwise::detail::signed_bits(word));
    } else {
      return bits_of_word(word);
    }
  }

  ColumnTiles tiles_;
  Bits* maxima_;
  int* counts_;
  uint32_t* lists_;
};

// A thread's part of one row, or of two, and the lists of what it finds there.
template <class Mapping, class Scalar>
class ColumnPart {
 public:
  using Word = word_t<Scalar>;
  using Real = widened_t<Scalar>;
  using Memory = ColumnMemory<Scalar>;
  using List = ColumnList<Scalar>;
  static constexpr int kRows = kPerWord<Scalar>;

  __device__ ColumnPart(Memory const& memory, int k, typename Mapping::Fixed const& fixed)
      : memory_(memory), fixed_(fixed), k_(k), thread_(static_cast<int>(threadIdx.x)) {
#pragma unroll
    for (Word& maximum : maxima_) maximum = lowest();
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      bounds_[row] = kLeastFinite;
      ends_[row] = list(row).place(0);
    }
    publish();
  }

  // Lists the entries of a word that are not below the bound; NaN never is. The compiler knows
  // step_class.
  __device__ void add(Word word, int step_class, int step) {
    Word& maximum = maxima_[step_class];
    maximum = larger(maximum, word);
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      if (number(word, row) < bounds_[row]) continue;
      list(row).put(ends_[row], word, row, step);
      ends_[row] += List::kNext;
    }
  }

  // Publishes, to the other parts of the row, as many maxima of what this part has seen as they
  // need.
  __device__ void publish() const {
    Word const first = larger(maxima_[0], maxima_[1]);
    Word const second = larger(maxima_[2], maxima_[3]);
    if (k_ <= memory_.tiles().parts) {
      memory_.set_maximum(thread_, 0, larger(first, second));
    } else if (k_ <= 2 * memory_.tiles().parts) {
      memory_.set_maximum(thread_, 0, first);
      memory_.set_maximum(thread_, 1, second);
    } else {
#pragma unroll
      for (int i = 0; i < kMaximaPerPart; ++i) memory_.set_maximum(thread_, i, maxima_[i]);
    }
  }

  // Makes room for kColumnsAhead entries. All lanes of the warp call it.
  __device__ void make_room() {
    int const most = memory_.tiles().capacity - kColumnsAhead;
    if (!__any_sync(kAllLanes, count(0) > most || count(kRows - 1) > most)) return;
    raise_bounds();
#pragma unroll 1
    for (int row = 0; row < kRows; ++row) {
      bool const is_full = count(row) > most;
      if (!__any_sync(kAllLanes, is_full)) continue;
      if (k_ <= most) {
        keep_first(row, is_full);
      } else if (is_full) {
        give_up(row);
      }
    }
  }

  // Drops the candidates that the maxima of all parts rule out.
  __device__ void raise_bounds() {
    publish();
    Word maximum = lowest();
    Word const bound = bound_of_parts(maximum);
#pragma unroll 1
    for (int row = 0; row < kRows; ++row) {
      Real const reach = Mapping(number(maximum, row), fixed_).lower_bound();
      Real const least = larger(number(bound, row), reach);
      keep(row, [&](int place) { return !(list(row).value(place) < least); });
      raise_bound(row, least);
    }
  }

  // Publishes the counts of the lists to all threads of the block.
  __device__ void publish_lists() const {
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      memory_.count(thread_, row) = (crowded_rows_ >> row & 1U) != 0 ? kCrowdedList : count(row);
    }
    __syncthreads();
  }

  // Returns the number of entries in a list.
  __device__ int count(int row) const {
    return list(row).entries_up_to(row == 0 ? ends_[0] : ends_[kRows - 1]);
  }

 private:
  using Key = key_t<Real>;

  // The first bound. It leaves out entries of -inf, none of which has a weight.
  static constexpr Real kLeastFinite = std::numeric_limits<Real>::lowest();

  __device__ static Word lowest() { return repeated(narrow<Scalar>(-INFINITY)); }
  __device__ List list(int row) const { return memory_.list(thread_, row); }

  // Returns a number that k entries of the row reach, and raises `maximum` to the largest entry
  // that any part has published.
  //
  // The maxima, of which each part publishes one, two or four, are put into at least k groups. k
  // entries reach the least of the groups' maxima.
  __device__ Word bound_of_parts(Word& maximum) const {
    ColumnTiles const& tiles = memory_.tiles();
    int const shift = k_ <= tiles.parts ? 0 : k_ <= 2 * tiles.parts ? 1 : 2;
    int const per_part = 1 << shift;
    int const per_group = k_ <= tiles.parts ? tiles.parts / k_ : 1;
    Word bound = repeated(narrow<Scalar>(INFINITY));
    Word group = lowest();
    int left = per_group;
#pragma unroll 1
    for (int i = 0; i < per_part * tiles.parts; ++i) {
      int const thread = memory_.thread_of(i >> shift, thread_ & (tiles.threads_per_part - 1));
      group = larger(group, memory_.maximum(thread, i & (per_part - 1)));
      maximum = larger(maximum, group);
      if (--left > 0) continue;
      bound = smaller(bound, group);
      group = lowest();
      left = per_group;
    }
    if (k_ > kMaximaPerPart * tiles.parts) bound = lowest();
    Word const own = smaller(smaller(maxima_[0], maxima_[1]), smaller(maxima_[2], maxima_[3]));
    return k_ <= kMaximaPerPart ? larger(bound, own) : bound;
  }

  // Registers can only be indexed by numbers that the compiler knows.
  __device__ void set_count(int row, int count) {
    if (row == 0) {
      ends_[0] = list(row).place(count);
    } else {
      ends_[kRows - 1] = list(row).place(count);
    }
  }
  __device__ void raise_bound(int row, Real bound) {
    if (row == 0) {
      bounds_[0] = larger(bounds_[0], bound);
    } else {
      bounds_[kRows - 1] = larger(bounds_[kRows - 1], bound);
    }
  }

  // Calls visit(place) for the entries of a list.
  template <class Visit>
  __device__ void for_each_place(int row, Visit const& visit) const {
    int const end = list(row).place(count(row));
#pragma unroll 1
    for (int place = list(row).place(0); place < end; place += List::kNext) visit(place);
  }

  template <class Includes>
  __device__ void keep(int row, Includes const& includes) {
    int kept = list(row).place(0);
    for_each_place(row, [&](int place) {
      if (!includes(place)) return;
      list(row).move(place, kept);
      kept += List::kNext;
    });
    set_count(row, list(row).entries_up_to(kept));
  }

  // The keys of a list, as numbers for find_kth().
  struct Keys {
    ColumnPart const& part;
    int row;

    template <class Group, class Visit>
    __device__ void for_each(Group const&, Visit const& visit) const {
      part.for_each_place(row, [&](int place) { visit(part.key(row, place)); });
    }
  };

  __device__ Key key(int row, int place) const { return selection_key(list(row).value(place)); }

  // Keeps the first k of a list if it is full. All lanes of the warp call it.
  __device__ void keep_first(int row, bool is_full) {
    Lanes const lane(1);
    Keys const keys = {*this, row};
    Range<Key> range = {kGreatest<Key>, kLeast<Key>, is_full ? count(row) : 0};
    keys.for_each(lane, [&](Key key) {
      range.lowest = key < range.lowest ? key : range.lowest;
      range.highest = key > range.highest ? key : range.highest;
    });
    auto const kth = find_kth(lane, keys, k_, range);
    if (!is_full) return;
    auto ties = static_cast<int>(kth.not_below > k_ ? k_ - kth.above : kth.not_below);
    keep(row, [&](int place) {
      Key const own = key(row, place);
      return own > kth.number || (own == kth.number && ties-- > 0);
    });
    // Entries that follow and equal the k-th come after all of these.
    Real const above = scalar_of<Real>(static_cast<Key>(kth.number + 1));
    raise_bound(row, smaller(above, static_cast<Real>(INFINITY)));
  }

  __device__ void give_up(int row) {
    set_count(row, 0);
    raise_bound(row, static_cast<Real>(INFINITY));
    crowded_rows_ |= 1U << row;
  }

  Memory const& memory_;
  typename Mapping::Fixed const& fixed_;
  int k_;
  int thread_;
  Word maxima_[kMaximaPerPart];  // one for each class of steps
  Real bounds_[kRows];
  int ends_[kRows];            // the place behind each list
  unsigned crowded_rows_ = 0;  // a bit for each row
};

}  // namespace zeta::rowwise::cuda
