#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/dependent_launch.cuh"
#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/held_row.cuh"
#include "rowwise/cuda/forward/merged_lists.cuh"
#include "rowwise/cuda/forward/segment_lists.h"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"

// The second kernel of long rows, for k <= 32 and few segments. A warp reads all candidates of a
// row at once, and no warp waits for another.
namespace zeta::rowwise::cuda {

// Each warp takes a row at a time. `candidates` is how many the segments of a row list.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kMostMergingWarps* kWarpThreads)
    merge_few_kernel(__grid_constant__ RowGeometry<3> const geometry,
                     ForwardOperands<Scalar> operands, int candidates,
                     SegmentLists<candidate_key_t<Scalar>> lists,
                     typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  ZETA_SHARED_ARRAY(MergingArrays<Scalar>, arrays, kMostMergingWarps);
  int const warps = static_cast<int>(blockDim.x) / kWarpThreads;
  int const lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  int const warp = static_cast<int>(threadIdx.x) / kWarpThreads;
  auto const k = static_cast<int>(operands.k);
#pragma unroll 1
  for (int64_t number = int64_t{blockIdx.x} * warps + warp; number < geometry.rows;
       number += int64_t{gridDim.x} * warps) {
    auto const row = operands.row(geometry, number);
    int64_t const first = number * candidates + lane;
    auto const* const keys = lists.keys + first;
    auto const* const columns = lists.columns + first;
    // So far, this kernel has read nothing but its parameters.
    wait_for_first_kernel();
    MergedLists<Scalar> const merged(candidates,
                                     [&](int i) { return Candidate<Scalar>{keys[i], columns[i]}; });
    auto const largest = largest_of_lanes(merged.largest());
    if (!is_of_ordinary_row<Scalar>(largest)) {
      write_nan(Lanes(kWarpThreads), row);
      continue;
    }
    auto const entry = scalar_of<Scalar>(static_cast<key_t<Scalar>>(largest));
    Mapping const mapping(widen(entry), fixed);
    auto const bound = selection_key(narrow<Scalar>(least_of_support<Scalar>(mapping)));
    write_first(merged.first(bound, k, arrays[warp]), mapping, row);
  }
}

}  // namespace zeta::rowwise::cuda
