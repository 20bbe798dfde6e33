#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "mappings/weighted_mean.h"
#include "rowwise/cuda/backward/from_weights.cuh"
#include "rowwise/cuda/backward/gathered_row.cuh"
#include "rowwise/cuda/backward/gradient_row.cuh"
#include "rowwise/cuda/backward/operands.cuh"
#include "rowwise/cuda/backward/passes.cuh"
#include "rowwise/cuda/backward/row_mean.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

// The backward from the weights, for longer contiguous rows, if the slope is 1 on the support. A
// warp or a block writes zeros, goes through the weights once, and lists the indices of the support
// in any order. It reads the gradient only there. Rows whose support has more indices than the list
// holds, and rows with a NaN, take passes.
namespace zeta::rowwise::cuda {

// The list of a group of threads, in shared memory.
struct SupportColumns {
  int count;  // of the indices found so far, also of those that had no room
  int columns[kListedColumns];

  __device__ bool is_too_short() const { return count > kListedColumns; }

  // Adds an index. Returns whether there was room.
  __device__ bool add(int column) {
    int const place = atomicAdd(&count, 1);
    if (place < kListedColumns) columns[place] = column;
    return place < kListedColumns;
  }
  __device__ void give_up() { atomicAdd(&count, kListedColumns + 1); }
};

// The groups that have a list: the lanes of a warp, and all threads of a block.
struct WarpOfBlock : Lanes {
  static constexpr int kPerBlock = kWarpsPerBlock;

  __device__ WarpOfBlock() : Lanes(kWarpThreads) {}
  __device__ static int number() { return static_cast<int>(threadIdx.x) / kWarpThreads; }
};
struct WholeBlock : Block<kThreadsPerBlock> {
  static constexpr int kPerBlock = 1;

  __device__ static int number() { return 0; }
};

template <class Slope, class Scalar, class Group>
class ListedGradient {
 public:
  using Real = widened_t<Scalar>;
  using Integers = typename mappings::WeightedMean<Real>::Integers;

  __device__ ListedGradient(Group const& group, WeightsOperands<Scalar> const& row, int length,
                            SupportColumns& list)
      : group_(group),
        weights_{row.source, length},
        grads_(row.grads),
        result_{row.result, length},
        list_(list) {}

  // Computes the gradient of the row. All threads of the group call it.
  __device__ void run(Slope const& slope, Integers const& integers) const {
    if (group_.rank() == 0) list_.count = 0;
    group_.synchronize();
    result_.fill(group_, narrow<Scalar>(0));
    list_support();
    group_.synchronize();
    if (list_.is_too_short()) {
      int64_t const length = weights_.length;
      backward_row<Scalar>(
          group_, slope, integers,
          StridedGradientRow<Scalar>{
              {weights_.begin, 1, length}, {grads_, 1, length}, {result_.begin, 1, length}});
    } else {
      write_values(integers);
    }
    group_.synchronize();
  }

 private:
  // Lists the indices of the support until the list has no room.
  __device__ void list_support() const {
    LooseRows<Scalar const> const weights = {weights_.begin, weights_.length};
    constexpr int kPerChunk = LooseRows<Scalar const>::kPerChunk;
    int const first_whole = weights.first_whole();
    int const last_whole = weights.last_whole();
    // Entries that share chunks with other rows are read one by one.
    int const head = weights.shift() + group_.rank();
    if (head < first_whole && head < weights.end()) list_column(head - weights.shift());
    int const tail = (last_whole > first_whole ? last_whole : first_whole) + group_.rank();
    if (tail < weights.end()) list_column(tail - weights.shift());

    auto const* const chunks = reinterpret_cast<Chunk const*>(weights.cover());
    int const last = last_whole / kPerChunk;
    int const step = group_.threads();
#pragma unroll 1
    for (int chunk = first_whole / kPerChunk + group_.rank(); chunk < last;
         chunk += kListedChunksAhead * step) {
      Chunk read[kListedChunksAhead];
#pragma unroll
      for (int i = 0; i < kListedChunksAhead; ++i) {
        read[i] = {0, 0, 0, 0};
        if (chunk + i * step < last) read[i] = chunks[chunk + i * step];
      }
#pragma unroll
      for (int i = 0; i < kListedChunksAhead; ++i) {
        if ((read[i].x | read[i].y | read[i].z | read[i].w) == 0) continue;
        int const first = (chunk + i * step) * kPerChunk - weights.shift();
        bool has_room = true;
#pragma unroll 1
        for (int j = 0; j < kPerChunk; ++j) has_room &= list_column(first + j);
        if (!has_room) return;
      }
    }
  }

  // Adds an index to the list if its weight is not 0. Returns whether there was room.
  __device__ bool list_column(int column) const {
    Real const weight = widen(weights_[column]);
    if (weight != weight) list_.give_up();
    return weight == 0 || list_.add(column);
  }

  // Writes the gradient at the listed indices. Each warp computes the mean for itself.
  __device__ void write_values(Integers const& integers) const {
    Lanes const warp(kWarpThreads);
    int const count = (list_.count - warp.rank() + kWarpThreads - 1) / kWarpThreads;
    auto const mean = row_mean<Real>(warp, integers, count, [&](auto const& visit) {
      for_each_listed(warp, [&](int, Scalar grad) { visit(widen(grad)); });
    });
    for_each_listed(group_, [&](int column, Scalar grad) {
      result_[column] = narrow<Scalar>(mean.subtracted_from(static_cast<double>(widen(grad))));
    });
  }

  template <class Threads, class Visit>
  __device__ void for_each_listed(Threads const& threads, Visit const& visit) const {
#pragma unroll 1
    for (int i = threads.rank(); i < list_.count; i += threads.threads()) {
      int const column = list_.columns[i];
      visit(column, grads_[column]);
    }
  }

  Group const& group_;
  ContiguousRow<Scalar const> weights_;
  Scalar const* grads_;
  ContiguousRow<Scalar> result_;
  SupportColumns& list_;
};

template <template <class> class MappingOf, class Scalar, class Group>
__global__ void __launch_bounds__(kMostThreads, kBlocksOfWholeRows) listed_backward_kernel(
    __grid_constant__ RowGeometry<3> const geometry, WeightsOperands<Scalar> operands,
    typename MappingOf<widened_t<Scalar>>::Slope slope,
    __grid_constant__ typename mappings::WeightedMean<widened_t<Scalar>>::Integers const integers) {
  using Slope = typename MappingOf<widened_t<Scalar>>::Slope;
  static_assert(Slope::kIsConstant);
  ZETA_SHARED_ARRAY(SupportColumns, lists, Group::kPerBlock);
  Group const group;
  int const length = static_cast<int>(geometry.length);
  int64_t const step = static_cast<int64_t>(gridDim.x) * Group::kPerBlock;
#pragma unroll 1
  for (int64_t number = static_cast<int64_t>(blockIdx.x) * Group::kPerBlock + Group::number();
       number < geometry.rows; number += step) {
    ListedGradient<Slope, Scalar, Group>(group, operands.row(geometry, number), length,
                                         lists[Group::number()])
        .run(slope, integers);
  }
}

}  // namespace zeta::rowwise::cuda
