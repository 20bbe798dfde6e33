#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/forward/column_lists.cuh"
#include "rowwise/cuda/forward/column_tile.cuh"
#include "rowwise/cuda/forward/passes.cuh"

// Rows side by side whose candidates are too many for lists, by passes over them where they lie.
namespace zeta::rowwise::cuda {

// The threads that have a part of one row. The rows of a block are taken in step.
class PartsOfRow {
 public:
  static constexpr int kScratchBytes = 32;

  // Each thread of the block has so many bytes of the scratch memory.
  __device__ PartsOfRow(void* scratch, ColumnTiles const& tiles)
      : scratch_(scratch),
        parts_(tiles.parts),
        rows_(tiles.threads_per_part),
        place_(static_cast<int>(threadIdx.x) & (rows_ - 1)),
        part_(static_cast<int>(threadIdx.x) / rows_) {}

  __device__ int threads() const { return parts_; }
  __device__ int rank() const { return part_; }
  __device__ int64_t entries_of_thread(int64_t length) const { return length / parts_ + 1; }

  template <class Value>
  __device__ Value reduce(Value value) const {
    Value const* const values = share(value);
    Value result = values[0];
    for (int part = 1; part < parts_; ++part) result.add(values[part * rows_]);
    __syncthreads();
    return result;
  }

  __device__ bool any(bool flag) const { return __syncthreads_or(flag) != 0; }
  __device__ void synchronize() const { __syncthreads(); }

  __device__ int running_sum(int count) const {
    int const* const counts = share(count);
    int sum = 0;
    for (int part = 0; part <= part_; ++part) sum += counts[part * rows_];
    __syncthreads();
    return sum;
  }

  __device__ int last(int value) const {
    value = share(value)[(parts_ - 1) * rows_];
    __syncthreads();
    return value;
  }

 private:
  // The values of the row's threads, each `rows_` after the one before, until a next barrier.
  template <class Value>
  __device__ Value const* share(Value value) const {
    static_assert(sizeof(Value) <= kScratchBytes);
    auto* const values = static_cast<Value*>(scratch_) + place_;
    values[part_ * rows_] = value;
    __syncthreads();
    return values;
  }

  void* scratch_;
  int parts_;
  int rows_;
  int place_;
  int part_;
};

// When all other rows of the block are weighed. All threads of it call this.
template <class Mapping, class Scalar>
__device__ inline void pass_over_crowded(ColumnMemory<Scalar> const& memory,
                                         ColumnTile<Scalar> const& tile, int k,
                                         typename Mapping::Fixed const& fixed) {
  if (__syncthreads_or(tile.has_row(memory, kCrowdedList)) == 0) return;
  PartsOfRow const group(memory.memory_of_lists(), memory.tiles());
#pragma unroll 1
  for (int row = 0; row < kPerWord<Scalar>; ++row) {
    bool const is_crowded = memory.count(tile.place(), row) == kCrowdedList;
    auto logits = tile.logits(tile.place(), row);
    auto support = tile.support(tile.place(), row, k);
    support.exists = is_crowded;
    if (!is_crowded) logits.length = 0;
    forward_by_passes<Mapping>(group, fixed, logits, tile.weights(tile.place(), row), support, k);
  }
}

}  // namespace zeta::rowwise::cuda
