#pragma once

#include <cstdint>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"

// Gathers a row's gradient at the indices of its support.
namespace zeta::rowwise::cuda {

// The indices of a support that is one chunk, count included.
inline constexpr int kColumnsOfChunk = kChunkBytes / static_cast<int>(sizeof(int32_t)) - 1;
static_assert(kColumnsOfChunk <= kPlacesPerLane);  // so that plans give such a row one lane

// The indices of a row's support that a lane holds, and the gradient there. A lane reads its places
// before the count of the support is known. Once the gradient was read, places that are not part of
// the support hold kNone.
template <class Scalar, int Places>
struct GatheredPlaces {
  static constexpr int kNone = -1;

  int columns[Places] = {};
  Scalar grads[Places];  // 0 where there is no index

  // Reads this lane's indices among the first `places` of `support`, which points behind the count.
  __device__ void load_columns(Lanes const& lanes, int places, int32_t const* support) {
    int32_t const* const own = support + lanes.rank();
#pragma unroll
    for (int i = 0; i < Places; ++i) {
      bool const exists = i * lanes.threads() + lanes.rank() < places;
      columns[i] = exists ? own[i * lanes.threads()] : kNone;
    }
  }

  // Reads a support that is one chunk, count included. Returns the count.
  __device__ int load_chunk(int32_t const* support) {
    static_assert(Places == kColumnsOfChunk);
    Chunk const chunk = *reinterpret_cast<Chunk const*>(support);
    columns[0] = static_cast<int>(chunk.y);
    columns[1] = static_cast<int>(chunk.z);
    columns[2] = static_cast<int>(chunk.w);
    return static_cast<int>(chunk.x);
  }

  // Reads the gradient at this lane's indices. Drops indices that are not in the row, or not among
  // the first `places`.
  __device__ void load_grads(Lanes const& lanes, int places, Scalar const* row, int stride,
                             int length) {
#pragma unroll
    for (int i = 0; i < Places; ++i) {
      bool const is_listed = i * lanes.threads() + lanes.rank() < places;
      bool const is_column = static_cast<unsigned>(columns[i]) < static_cast<unsigned>(length);
      columns[i] = is_listed && is_column ? columns[i] : kNone;
      grads[i] = Scalar{};
      if (is_listed && is_column) grads[i] = row[static_cast<int64_t>(columns[i]) * stride];
    }
  }
};

}  // namespace zeta::rowwise::cuda
