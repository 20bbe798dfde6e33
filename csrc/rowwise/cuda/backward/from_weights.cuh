#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <cstring>

#include "mappings/weighted_mean.h"
#include "rowwise/cuda/backward/operands.cuh"
#include "rowwise/cuda/backward/row_mean.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

// The backward from the weights, for short rows, if the slope is 1 on the support. Some lanes of a
// warp hold a row of weights and its gradient in registers, and read their next row ahead.
namespace zeta::rowwise::cuda {

// Which entries of a row a lane has: those of every `lanes`-th chunk if is_chunked, else every
// `lanes`-th entry.
struct LaneShare {
  int rank;
  int lanes;
  int length;
  bool is_chunked;

  // Returns the share in a row, which is empty if the row does not exist.
  __device__ LaneShare of(bool exists) const {
    return {rank, lanes, exists ? length : 0, is_chunked};
  }
};

// The entries of a row that a lane holds, in chunks of registers.
template <class Scalar, int Chunks>
class HeldEntries {
 public:
  static constexpr int kPerChunk = kChunkBytes / static_cast<int>(sizeof(Scalar));

  // Reads the lane's entries. Those that do not exist become 0.
  __device__ void load(LaneShare const& share, Scalar const* row, int64_t stride) {
#pragma unroll
    for (int i = 0; i < Chunks; ++i) chunks_[i] = {0, 0, 0, 0};
    if (share.is_chunked) {
#pragma unroll
      for (int i = 0; i < Chunks; ++i) {
        int const chunk = i * share.lanes + share.rank;
        if (chunk * kPerChunk < share.length) {
          chunks_[i] = reinterpret_cast<Chunk const*>(row)[chunk];
        }
      }
      return;
    }
    for_each_entry(share, row, stride, [&](int i, Scalar const* entry) { set(i, *entry); });
  }

  __device__ void store(LaneShare const& share, Scalar* row, int64_t stride) const {
    if (share.is_chunked) {
#pragma unroll
      for (int i = 0; i < Chunks; ++i) {
        int const chunk = i * share.lanes + share.rank;
        if (chunk * kPerChunk < share.length) reinterpret_cast<Chunk*>(row)[chunk] = chunks_[i];
      }
      return;
    }
    for_each_entry(share, row, stride, [&](int i, Scalar* entry) { *entry = (*this)[i]; });
  }

  __device__ Scalar operator[](int i) const {
    Scalar entries[kPerChunk];
    memcpy(entries, &chunks_[i / kPerChunk], sizeof(entries));
    return entries[i % kPerChunk];
  }

  __device__ void set(int i, Scalar entry) {
    Scalar entries[kPerChunk];
    memcpy(entries, &chunks_[i / kPerChunk], sizeof(entries));
    entries[i % kPerChunk] = entry;
    memcpy(&chunks_[i / kPerChunk], entries, sizeof(entries));
  }

  // Makes those entries of `others` 0 whose entry here is 0.
  __device__ void clear_where_zero(HeldEntries& others) const {
    if constexpr (kIsHalf) {
#pragma unroll
      for (int i = 0; i < kWords; ++i) {
        others.set_word(i, others.word(i) & nonzero_halves(word(i)) * 0xffffU);
      }
    } else {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        if (!(widen((*this)[i]) != 0)) others.set(i, narrow<Scalar>(0));
      }
    }
  }

  __device__ int count_nonzero() const {
    unsigned count = 0;
    if constexpr (kIsHalf) {
#pragma unroll
      for (int i = 0; i < kWords; ++i) count += nonzero_halves(word(i));
      return static_cast<int>((count & 0xffffU) + (count >> 16));
    } else {
#pragma unroll
      for (int i = 0; i < kCount; ++i) count += widen((*this)[i]) != 0 ? 1 : 0;
      return static_cast<int>(count);
    }
  }

  __device__ bool has_nan() const {
    bool result = false;
#pragma unroll
    for (int i = 0; i < kCount; ++i) result |= widen((*this)[i]) != widen((*this)[i]);
    return result;
  }

 private:
  static constexpr bool kIsHalf = sizeof(Scalar) == 2;
  static constexpr int kCount = Chunks * kPerChunk;

  // The words of all entries, in order.
  static constexpr int kWords = 4 * Chunks;
  __device__ uint32_t word(int i) const {
    Chunk const& chunk = chunks_[i / 4];
    return i % 4 == 0 ? chunk.x : i % 4 == 1 ? chunk.y : i % 4 == 2 ? chunk.z : chunk.w;
  }
  __device__ void set_word(int i, uint32_t word) {
    Chunk& chunk = chunks_[i / 4];
    (i % 4 == 0 ? chunk.x : i % 4 == 1 ? chunk.y : i % 4 == 2 ? chunk.z : chunk.w) = word;
  }

  // Returns a word with the lowest bit of each half that is neither 0 nor -0. No sum of a half
  // carries into the other.
  __device__ static unsigned nonzero_halves(uint32_t word) {
    return ((word & 0x7fff7fffU) + 0x7fff7fffU) >> 15 & 0x10001U;
  }

  // Calls visit(i, address) for the entries of a row that belong to this lane.
  template <class Entry, class Visit>
  __device__ static void for_each_entry(LaneShare const& share, Entry* row, int64_t stride,
                                        Visit const& visit) {
    Entry* entry = row + share.rank * stride;
    int64_t const step = share.lanes * stride;
#pragma unroll
    for (int i = 0; i < Chunks * kPerChunk; ++i) {
      if (i * share.lanes + share.rank < share.length) visit(i, entry);
      entry += step;
    }
  }

  Chunk chunks_[Chunks] = {};
};

// A row of weights and its gradient.
template <class Scalar, int Chunks>
class HeldGradient {
 public:
  using Real = widened_t<Scalar>;
  using Integers = typename mappings::WeightedMean<Real>::Integers;
  using Entries = HeldEntries<Scalar, Chunks>;

  __device__ void load(LaneShare const& share, RowGeometry<3> const& geometry,
                       WeightsOperands<Scalar> const& row) {
    weights_.load(share, row.source, geometry.stride[2]);
    grads_.load(share, row.grads, geometry.stride[1]);
  }

  // Replaces the gradient by the result. All lanes of the warp call it.
  __device__ void compute(Lanes const& lanes, Integers const& integers) {
    keep_support();
    auto const mean = row_mean<Real>(
        lanes, integers, weights_.count_nonzero(),
        [&](auto const& visit) { for_each([&](int i) { visit(widen(grads_[i])); }); });
    for_each([&](int i) {
      double const grad = widen(grads_[i]);
      grads_.set(i, narrow<Scalar>(mean.subtracted_from(grad)));
    });
    keep_support();
    bool const is_nan = weights_.has_nan();
    if (lanes.any(is_nan) && lanes.reduce(EntryCount{is_nan ? 1 : 0}).value > 0) {
      for_each([&](int i) { grads_.set(i, narrow<Scalar>(NAN)); });
    }
  }

  __device__ void store(LaneShare const& share, RowGeometry<3> const& geometry,
                        WeightsOperands<Scalar> const& row) const {
    grads_.store(share, row.result, geometry.stride[0]);
  }

 private:
  // Makes the gradient 0 where the weight is 0.
  __device__ void keep_support() { weights_.clear_where_zero(grads_); }

  template <class Visit>
  __device__ void for_each(Visit const& visit) const {
#pragma unroll
    for (int i = 0; i < Chunks * Entries::kPerChunk; ++i) visit(i);
  }

  Entries weights_;
  Entries grads_;
};

// A block has kWarpsPerBlock warps, of which `lanes_per_row` lanes take a row at a time.
template <template <class> class MappingOf, class Scalar, int Chunks>
__global__ void __launch_bounds__(kWarpsPerBlock* kWarpThreads, blocks_of_gradients(Chunks))
    weights_backward_kernel(
        __grid_constant__ RowGeometry<3> const geometry, int lanes_per_row, bool is_chunked,
        WeightsOperands<Scalar> operands,
        __grid_constant__
        typename mappings::WeightedMean<widened_t<Scalar>>::Integers const integers) {
  static_assert(MappingOf<widened_t<Scalar>>::Slope::kIsConstant);
  using Gradient = HeldGradient<Scalar, Chunks>;
  Lanes const lanes(lanes_per_row);
  LaneShare const share = {lanes.rank(), lanes_per_row, static_cast<int>(geometry.length),
                           is_chunked};
  int64_t const warps = static_cast<int64_t>(gridDim.x) * kWarpsPerBlock;
  int64_t const warp = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock +
                       static_cast<int>(threadIdx.x) / kWarpThreads;
  int const groups = lanes.groups();
  int const group = lanes.group();
  Gradient gradient;
  // The first round only reads ahead.
#pragma unroll 1
  for (int64_t turn = warp - warps; turn * groups < geometry.rows; turn += warps) {
    int64_t const row = turn * groups + group;
    int64_t const next_row = row + warps * groups;
    Gradient next;
    bool const has_next = next_row < geometry.rows;
    next.load(share.of(has_next), geometry, operands.row(geometry, has_next ? next_row : 0));
    if (turn >= 0) {
      gradient.compute(lanes, integers);
      bool const exists = row < geometry.rows;
      gradient.store(share.of(exists), geometry, operands.row(geometry, exists ? row : 0));
    }
    gradient = next;
  }
}

}  // namespace zeta::rowwise::cuda
