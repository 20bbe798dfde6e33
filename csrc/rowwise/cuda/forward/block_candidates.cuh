#pragma once

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/candidates.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"

// What a block finds while it reads a long row, or a part of one, once: the entries that may be in
// the support. An entry is passed over unless it lies above a floor: what the entries so far say
// about the support of the whole row. More entries only raise it.
namespace zeta::rowwise::cuda {

namespace detail {

// The largest entry of each thread.
template <class Scalar>
struct LargestOfThreads {
  Scalar entry;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    visit(group.rank(), entry);
  }
};

}  // namespace detail

// A float below x that no entry below x lies above, of an x that is no NaN; -inf has none.
__device__ inline float float_below(double x) {
  auto const nearest = static_cast<float>(x);
  if (nearest < x || nearest == -INFINITY) return nearest;
  int const key = nearest == 0 ? key_of(-0.0F) : key_of(nearest);
  return scalar_of<float>(key - 1);
}

// A float that all entries of the support lie above, given the largest of the entries that each
// thread has seen. The threshold of some entries is at most that of all, and so is their k-th
// largest.
template <class Mapping, class Scalar>
__device__ float floor_of_support(Block<kThreadsPerBlock> const& block,
                                  typename Mapping::Fixed const& fixed, Scalar largest, int64_t k) {
  auto const range = block.reduce(KeyRange<Scalar>::of(largest));
  auto const maximum = range.maximum();
  if (!(maximum < INFINITY)) return INFINITY;  // The row will be NaN.
  if (maximum == -INFINITY) return -INFINITY;
  Mapping const mapping(maximum, fixed);
  detail::LargestOfThreads<Scalar> const entries = {largest};
  auto bound = mapping.lower_bound(
      find_threshold<Mapping, Scalar>(block, mapping, entries, mapping.lowest_threshold()));
  if (mapping.lower_bound() > bound) bound = mapping.lower_bound();
  if (k <= kThreadsPerBlock) {
    using Keys = detail::Keys<Scalar, detail::LargestOfThreads<Scalar>>;
    using Number = typename Keys::Number;
    auto const key = [](key_t<Scalar> x) { return Number{selection_key(scalar_of<Scalar>(x))}; };
    auto const kth =
        find_kth(block, Keys{entries}, k,
                 Range<Number>{key(range.smallest), key(range.largest), kThreadsPerBlock});
    auto const entry = widen(scalar_of<Scalar>(static_cast<key_t<Scalar>>(kth.number)));
    if (entry > bound) bound = entry;
  }
  return float_below(bound);
}

template <class Mapping, class Scalar>
class BlockCandidates {
 public:
  using Fixed = typename Mapping::Fixed;
  using BlockTile = Tile<Scalar, kPiecesPerThread>;
  static constexpr int kPiecesPerTile = kThreadsPerBlock * kPiecesPerThread;

  // The arrays are those of the block: there is one of these at a time.
  __device__ BlockCandidates(Block<kThreadsPerBlock> const& block, Fixed const& fixed, int64_t k)
      : block_(block), fixed_(fixed), k_(k) {
    ZETA_SHARED_ARRAY(Scalar, entries, kCandidatesPerBlock);
    ZETA_SHARED_ARRAY(int, columns, kCandidatesPerBlock);
    ZETA_SHARED_ARRAY(int, count, 1);
    ZETA_SHARED_ARRAY(int, floor, 1);
    entries_ = entries;
    columns_ = columns;
    count_ = count;
    floor_ = floor;
  }

  // Reads a row, or the part of one that begins at a column, and fills its weights with zeros.
  // False if there are too many candidates. All threads get the same answer.
  __device__ bool read(ContiguousRow<Scalar const> const& logits,
                       ContiguousRow<Scalar> const& weights, int first_column) {
    range_ = KeyRange<Scalar>::empty();
    begin(floor_of_support<Mapping>(block_, fixed_, largest_of_sample(logits), k_));
    for (int piece = 0; piece < logits.pieces(); piece += kPiecesPerTile) {
      int const begin = piece == 0 ? 0 : logits.first_column(piece);
      int const end = logits.first_column(piece + kPiecesPerTile);
      weights.part(begin, end < logits.length ? end : logits.length)
          .fill(block_, narrow<Scalar>(0));
      Scalar largest;
      if (add_tile(logits, piece, first_column, largest)) continue;
      // Read once more, since keeping it would take registers.
      make_room(largest, first_column + begin);
      if (!add_tile(logits, piece, first_column, largest)) return false;
    }
    return true;
  }

  // Takes the candidates of others instead of reading. False if there are too many.
  template <class Entries>
  __device__ bool take(Entries const& entries) {
    begin(floor_of_support<Mapping>(block_, fixed_, largest_of(block_, entries), k_));
    return add(entries, 0, scalar_of<float>(*floor_));
  }

  // Calls visit(column, entry) for the candidates that fall to this thread, as far as they lie
  // above what the floor has become.
  template <class Visit>
  __device__ void for_each_above_floor(Visit const& visit) const {
    float const floor = scalar_of<float>(*floor_);
    list().for_each(block_, [&](int column, Scalar entry) {
      if (widen(entry) > floor) visit(column, entry);
    });
  }

  // Of the entries that this thread has seen.
  __device__ KeyRange<Scalar> range() const { return range_; }

  // After a barrier.
  __device__ Candidates<Scalar, int> list() const { return {entries_, columns_, *count_, 1}; }

 private:
  // Pieces from all over the row, the end too, so that a row that ascends does not raise its floor
  // again and again. No two threads see the same.
  __device__ Scalar largest_of_sample(ContiguousRow<Scalar const> const& logits) const {
    constexpr int kWarps = kThreadsPerBlock / kWarpThreads;
    int const warp = block_.rank() / kWarpThreads;
    int const share = logits.pieces() / kWarps;
    int const distance = share > kWarpThreads ? share : kWarpThreads;
    Lanes const lanes(kWarpThreads);
    return largest_of(lanes, Tile<Scalar, 1>(lanes, logits, (warp + 1) * distance - kWarpThreads));
  }

  // Of those that fall to this thread; -inf if none does.
  template <class Group, class Entries>
  __device__ static Scalar largest_of(Group const& group, Entries const& entries) {
    auto range = KeyRange<Scalar>::of(detail::minus_infinity<Scalar>());
    entries.for_each(group, [&](int, Scalar entry) { range.add(KeyRange<Scalar>::of(entry)); });
    return scalar_of<Scalar>(range.largest);
  }

  // An empty list.
  __device__ void begin(float floor) {
    if (block_.rank() == 0) {
      *count_ = 0;
      *floor_ = key_of(floor);
    }
    __syncthreads();
  }

  // Adds the entries of the tile that begins with a piece. False if there is no room for all of
  // them.
  __device__ bool add_tile(ContiguousRow<Scalar const> const& logits, int piece, int first_column,
                           Scalar& largest) {
    BlockTile const tile(block_, logits, piece);
    tile.for_each(block_, [&](int, Scalar entry) { range_.add(KeyRange<Scalar>::of(entry)); });
    largest = largest_of(block_, tile);
    return add(tile, first_column, floor_with(largest));
  }

  // Raises the floor by what the list and the largest entries of each thread's tile say, and leaves
  // out of the list what does not lie above it or comes from that tile, which begins at a column.
  __device__ void make_room(Scalar largest, int begin_of_tile) {
    ListSlice const slice(block_, *this, begin_of_tile);
    Scalar const largest_of_slice = largest_of(block_, slice);
    bool const is_larger = key_of(largest_of_slice) > key_of(largest);
    float const floor =
        floor_of_support<Mapping>(block_, fixed_, is_larger ? largest_of_slice : largest, k_);
    begin(floor);
    add(slice, 0, floor);
  }

  // The floor that the largest entry of the warp implies, or a higher one that others know of.
  __device__ float floor_with(Scalar largest) const {
    Lanes const warp(kWarpThreads);
    auto const key = warp.reduce(LargestKey<Scalar>{key_of(largest)}).value;
    auto const maximum = widen(scalar_of<Scalar>(static_cast<key_t<Scalar>>(key)));
    if (!(maximum < INFINITY)) return INFINITY;
    int own = key_of(float_below(Mapping(maximum, fixed_).lower_bound()));
    if (warp.rank() == 0) {
      int const other = atomicMax(floor_, own);
      if (other > own) own = other;
    }
    return scalar_of<float>(warp.first(own));
  }

  // Adds the entries above the floor, as far as there is room.
  template <class Entries>
  __device__ bool add(Entries const& entries, int first_column, float floor) {
    auto const is_candidate = [&](Scalar entry) { return widen(entry) > floor; };
    int own_count = 0;
    entries.for_each(block_, [&](int, Scalar entry) { own_count += is_candidate(entry) ? 1 : 0; });
    Lanes const warp(kWarpThreads);
    int const last = warp.running_sum(own_count);
    int const total = warp.last(last);
    int place = warp.rank() == 0 && total > 0 ? atomicAdd(count_, total) : 0;
    place = warp.first(place);
    bool const fits = place + total <= kCandidatesPerBlock;
    place += last - own_count;
    if (own_count > 0) {
      entries.for_each(block_, [&](int column, Scalar entry) {
        if (!is_candidate(entry)) return;
        if (place < kCandidatesPerBlock) {
          entries_[place] = entry;
          columns_[place] = first_column + column;
        }
        ++place;
      });
    }
    return __syncthreads_or(!fits) == 0;
  }

  // The part of the list that falls to a thread, in registers, without what comes from columns that
  // are read again. What is not there is -inf.
  class ListSlice {
   public:
    __device__ ListSlice(Block<kThreadsPerBlock> const& block, BlockCandidates const& list,
                         int end_column) {
#pragma unroll
      for (int i = 0; i < kPerThread; ++i) {
        int const place = block.rank() + i * kThreadsPerBlock;
        bool const is_kept = place < *list.count_ && list.columns_[place] < end_column;
        entries_[i] = is_kept ? list.entries_[place] : detail::minus_infinity<Scalar>();
        columns_[i] = is_kept ? list.columns_[place] : 0;
      }
    }

    template <class Group, class Visit>
    __device__ void for_each(Group const&, Visit const& visit) const {
#pragma unroll
      for (int i = 0; i < kPerThread; ++i) visit(columns_[i], entries_[i]);
    }

   private:
    static constexpr int kPerThread = kCandidatesPerBlock / kThreadsPerBlock;

    Scalar entries_[kPerThread];
    int columns_[kPerThread];
  };

  Block<kThreadsPerBlock> block_;
  Fixed fixed_;
  int64_t k_;
  KeyRange<Scalar> range_;
  Scalar* entries_;
  int* columns_;
  int* count_;
  int* floor_;  // its key
};

}  // namespace zeta::rowwise::cuda
