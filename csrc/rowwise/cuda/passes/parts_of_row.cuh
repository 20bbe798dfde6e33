#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace zeta::rowwise::cuda {

// The threads of a block that share one row. A barrier is one of the whole block, so all rows of
// the block have to reach it equally often: any() is true if it is for any of them.
class PartsOfRow {
 public:
  static constexpr int kScratchBytes = 32;

  // The block has `rows` rows of `parts` parts, and a thread for each part. This one has part
  // `part` of row number `place`. `scratch` is shared memory, kScratchBytes for each thread.
  __device__ PartsOfRow(void* scratch, int rows, int parts, int place, int part)
      : scratch_(scratch), rows_(rows), parts_(parts), place_(place), part_(part) {}

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
  // Returns the values of the row's threads, which lie `rows_` values apart and are valid until the
  // next barrier.
  template <class Value>
  __device__ Value const* share(Value value) const {
    static_assert(sizeof(Value) <= kScratchBytes);
    auto* const values = static_cast<Value*>(scratch_) + place_;
    values[part_ * rows_] = value;
    __syncthreads();
    return values;
  }

  void* scratch_;
  int rows_;
  int parts_;
  int place_;
  int part_;
};

}  // namespace zeta::rowwise::cuda
