#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"

#ifdef __CUDACC__
#include <cuda_pipeline_primitives.h>

#include <cuda/ptx>
#endif

// Each warp passes a tensor through its own stages of shared memory: it loads a stage while it
// works on others, changes it in place, and stores it whole. No warp waits for another.
namespace zeta::rowwise::cuda {

// A chunk is a 16-byte vector, which one lane reads or writes at once.
using Chunk = uint4;
static_assert(sizeof(Chunk) == kChunkBytes);

namespace detail {

// How stages are copied. With kBulk and kLate, lane 0 starts the copy of a whole stage; else each
// lane copies its own chunks.
enum class Copies {
  kBulk,   // by bulk copies, with an mbarrier for each stage
  kAsync,  // loaded by cp.async, in groups that are counted; stored by the lanes
  kPlain,  // loaded and stored by the lanes
  kLate,   // in tests on the CPU: each copy takes place as late as it may on a GPU
};

#if !defined(__CUDACC__)
inline constexpr Copies kCopies = Copies::kLate;
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
inline constexpr Copies kCopies = Copies::kBulk;
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
inline constexpr Copies kCopies = Copies::kAsync;
#else
inline constexpr Copies kCopies = Copies::kPlain;
#endif

}  // namespace detail

// `bytes` of global memory that go to a stage, from its chunk `first_chunk` on. `source` and
// `bytes` are multiples of 16.
struct StagePart {
  void const* source;
  int bytes;
  int first_chunk = 0;
};

// All lanes of a warp call each function. A warp goes round its stages 0 to kStages - 1: it loads
// stage i while it works on others, waits for it, changes it, and stores it.
class WarpPipe {
 public:
  // Each warp of the block has shared memory for `stages` stages: for fewer than kStages if the
  // warp loads no more, and for one more if it uses the spare one.
  __device__ explicit WarpPipe(int stages, int chunks_per_stage = kStageChunks);

  __device__ Chunk* stage(int number) const { return stages_ + number * chunks_; }

  // Returns the stage behind those that are loaded.
  __device__ Chunk* spare() const { return spare_; }

  // Begins to load a stage. If the warp has used the stage before, it has called store() for it,
  // and then for another one: this waits for all stores but the last.
  template <class... Parts>
  __device__ void load(int number, Parts const&... parts);

  // Ends a turn in which at most one stage was loaded.
  __device__ void end_turn();

  // Waits for the load of a stage, which was begun kStages - 1 turns ago. `phase` is 0 for the
  // first load of the stage and changes with each.
  __device__ void wait(int number, int phase);

  // Begins to store `bytes` of a stage, from chunk `first_chunk` on, as the lanes have changed it.
  __device__ void store(int number, int first_chunk, void* target, int bytes);

  // Waits until all stores have read their stages. The warp calls this before the block ends.
  __device__ void finish();

  // Goes round the stages. For each of the grid's `count` loads that falls to this warp, it calls
  // load(number, stage), kStages - 1 turns ahead, and work(number, stage) once the stage is loaded.
  // work() ends with a store of the stage.
  template <class Load, class Work>
  __device__ void for_each(int64_t count, Load const& load, Work const& work);

 private:
  int lane_;
  int chunks_;  // of a stage
  Chunk* stages_;
  Chunk* spare_;
  uint64_t* barriers_;

#ifndef __CUDACC__
  // A copy that lane 0 has begun and that has not yet taken place.
  struct Copy {
    void* to = nullptr;
    void const* from = nullptr;
    int bytes = 0;
  };
  static void end(Copy& copy);

  static constexpr int kMostParts = 2;
  Copy loads_[kStages][kMostParts];
  int phases_[kStages] = {};  // of the load that is waited for next
  Copy last_store_;
  Copy store_before_;
#endif
};

__device__ inline WarpPipe::WarpPipe(int stages, int chunks_per_stage)
    : lane_(static_cast<int>(threadIdx.x) % kWarpThreads), chunks_(chunks_per_stage) {
  ZETA_DYNAMIC_SHARED_ARRAY(Chunk, shared);
  int const warp = static_cast<int>(threadIdx.x) / kWarpThreads;
  int const warps = static_cast<int>(blockDim.x) / kWarpThreads;
  stages_ = shared + barrier_bytes(warps) / kChunkBytes + warp * stages * chunks_;
  spare_ = stages_ + (stages - 1) * chunks_;
  barriers_ = reinterpret_cast<uint64_t*>(shared) + warp * kStages;
#ifdef __CUDA_ARCH__
  if constexpr (detail::kCopies == detail::Copies::kBulk) {
    if (lane_ == 0) {
      for (int i = 0; i < kStages; ++i) ::cuda::ptx::mbarrier_init(barriers_ + i, 1);
      ::cuda::ptx::fence_mbarrier_init(::cuda::ptx::sem_release, ::cuda::ptx::scope_cluster);
      ::cuda::ptx::fence_proxy_async(::cuda::ptx::space_shared);
    }
    __syncwarp();
  }
#endif
}

template <class... Parts>
__device__ inline void WarpPipe::load(int number, Parts const&... parts) {
#ifndef __CUDACC__
  static_assert(sizeof...(parts) <= kMostParts);
  if (lane_ != 0) return;
  end(store_before_);
  std::memset(static_cast<void*>(stage(number)), 0xff, static_cast<size_t>(chunks_) * kChunkBytes);
  Copy* copy = loads_[number];
  ((*copy++ = {stage(number) + parts.first_chunk, parts.source, parts.bytes}), ...);
#elif defined(__CUDA_ARCH__)
  namespace ptx = ::cuda::ptx;
  if constexpr (detail::kCopies == detail::Copies::kBulk) {
    if (lane_ != 0) return;
    ptx::cp_async_bulk_wait_group_read(ptx::n32_t<1>());
    ptx::mbarrier_arrive_expect_tx(ptx::sem_release, ptx::scope_cta, ptx::space_shared,
                                   barriers_ + number, static_cast<uint32_t>((parts.bytes + ...)));
    auto const copy = [&](StagePart const& part) {
      if (part.bytes > 0) {
        ptx::cp_async_bulk(ptx::space_cluster, ptx::space_global, stage(number) + part.first_chunk,
                           part.source, static_cast<uint32_t>(part.bytes), barriers_ + number);
      }
    };
    (copy(parts), ...);
    return;
  }
  auto const copy = [&](StagePart const& part) {
    Chunk* const to = stage(number) + part.first_chunk;
    auto const* const from = static_cast<Chunk const*>(part.source);
#pragma unroll 8
    for (int chunk = lane_; chunk * kChunkBytes < part.bytes; chunk += kWarpThreads) {
      if constexpr (detail::kCopies == detail::Copies::kAsync) {
        __pipeline_memcpy_async(to + chunk, from + chunk, kChunkBytes);
      } else {
        to[chunk] = from[chunk];
      }
    }
  };
  (copy(parts), ...);
#endif
}

__device__ inline void WarpPipe::end_turn() {
#ifdef __CUDA_ARCH__
  if constexpr (detail::kCopies == detail::Copies::kAsync) __pipeline_commit();
#endif
}

__device__ inline void WarpPipe::wait(int number, int phase) {
#ifndef __CUDACC__
  if (lane_ == 0 && phase == phases_[number]) {
    for (Copy& load : loads_[number]) end(load);
    phases_[number] ^= 1;
  }
  __syncwarp();
#elif defined(__CUDA_ARCH__)
  if constexpr (detail::kCopies == detail::Copies::kBulk) {
    while (
        !::cuda::ptx::mbarrier_try_wait_parity(barriers_ + number, static_cast<uint32_t>(phase))) {
    }
    return;
  }
  if constexpr (detail::kCopies == detail::Copies::kAsync) __pipeline_wait_prior(kStages - 2);
  __syncwarp();
#endif
}

__device__ inline void WarpPipe::store(int number, int first_chunk, void* target, int bytes) {
  Chunk* const from = stage(number) + first_chunk;
#ifndef __CUDACC__
  __syncwarp();
  if (lane_ != 0) return;
  end(store_before_);
  store_before_ = last_store_;
  last_store_ = {target, from, bytes};
#elif defined(__CUDA_ARCH__)
  namespace ptx = ::cuda::ptx;
  if constexpr (detail::kCopies == detail::Copies::kBulk) {
    // This makes what each lane has written visible to the bulk copy.
    ptx::fence_proxy_async(ptx::space_shared);
    __syncwarp();
    if (lane_ != 0) return;
    if (bytes > 0) {
      ptx::cp_async_bulk(ptx::space_global, ptx::space_shared, target, from,
                         static_cast<uint32_t>(bytes));
    }
    ptx::cp_async_bulk_commit_group();
    return;
  }
  __syncwarp();
  auto* const to = static_cast<Chunk*>(target);
#pragma unroll 8
  for (int chunk = lane_; chunk * kChunkBytes < bytes; chunk += kWarpThreads) {
    to[chunk] = from[chunk];
  }
  __syncwarp();
#endif
}

__device__ inline void WarpPipe::finish() {
#ifndef __CUDACC__
  if (lane_ != 0) return;
  end(store_before_);
  end(last_store_);
#elif defined(__CUDA_ARCH__)
  if constexpr (detail::kCopies == detail::Copies::kBulk) {
    if (lane_ == 0) ::cuda::ptx::cp_async_bulk_wait_group_read(::cuda::ptx::n32_t<0>());
  }
#endif
}

template <class Load, class Work>
__device__ inline void WarpPipe::for_each(int64_t count, Load const& load, Work const& work) {
  int const warps = static_cast<int>(blockDim.x) / kWarpThreads;
  int64_t const step = static_cast<int64_t>(gridDim.x) * warps;
  int64_t const first =
      static_cast<int64_t>(blockIdx.x) * warps + static_cast<int>(threadIdx.x) / kWarpThreads;
  // Turns before `first` only load. A turn loads the stage that the turn before has stored.
  int64_t number = first - (kStages - 1) * step;
  int stage = 1;
  int phase = 1;
#pragma unroll 1
  for (; number < count; number += step) {
    if (number >= first) {
      wait(stage, phase);
      work(number, stage);
    }
    int64_t const next = number + (kStages - 1) * step;
    if (next < count) load(next, stage == 0 ? kStages - 1 : stage - 1);
    end_turn();
    stage = stage == kStages - 1 ? 0 : stage + 1;
    phase = stage == 0 ? phase ^ 1 : phase;
  }
  finish();
}

#ifndef __CUDACC__
inline void WarpPipe::end(Copy& copy) {
  if (copy.bytes > 0) std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.bytes));
  copy = {};
}
#endif

}  // namespace zeta::rowwise::cuda
