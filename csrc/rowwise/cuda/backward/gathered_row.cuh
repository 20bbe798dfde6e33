#pragma once

#include <cstdint>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"

// A row's gradient at the columns of its support.
namespace zeta::rowwise::cuda {

// Of a support that is a chunk with its count.
inline constexpr int kColumnsOfChunk = kChunkBytes / static_cast<int>(sizeof(int32_t)) - 1;
static_assert(kColumnsOfChunk <= kPlacesPerLane);  // so that plans give such a row one lane

// Places of the support that a lane holds, of the first ones of the row. Which of them there are is
// known once the gradient was read.
template <class Scalar, int Places>
struct GatheredPlaces {
  static constexpr int kNone = -1;

  int columns[Places] = {};
  Scalar grads[Places];  // 0 where there is no column

  // Reads those of the `places` from the first on, of a support that lies behind its count.
  __device__ void load_columns(Lanes const& lanes, int places, int32_t const* support) {
    int32_t const* const own = support + lanes.rank();
#pragma unroll
    for (int i = 0; i < Places; ++i) {
      bool const exists = i * lanes.threads() + lanes.rank() < places;
      columns[i] = exists ? own[i * lanes.threads()] : kNone;
    }
  }

  // Reads a support of so many places that it is a chunk with its count, which is returned.
  __device__ int load_chunk(int32_t const* support) {
    static_assert(Places == kColumnsOfChunk);
    Chunk const chunk = *reinterpret_cast<Chunk const*>(support);
    columns[0] = static_cast<int>(chunk.y);
    columns[1] = static_cast<int>(chunk.z);
    columns[2] = static_cast<int>(chunk.w);
    return static_cast<int>(chunk.x);
  }

  // Keeps those columns that are the row's, and stand in the first `places`.
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
