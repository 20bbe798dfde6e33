#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/find_row.cuh"
#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/held.cuh"
#include "rowwise/cuda/forward/held_row.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/stages/loose_copies.cuh"
#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/mask.h"
#include "rowwise/row_geometry.h"

// A warp holds a row and its mask in a stage. It overwrites what the mask leaves out with -inf, and
// goes on as for any row.
namespace zeta::rowwise::cuda {

// The masks of a tensor's rows, each of them contiguous.
struct HeldMasks {
  MaskEntry const* begin;
  MaskEntry const* end;
  int first_chunk;  // of a mask in a stage
};

namespace detail {

// A row and its mask in memory.
template <class Scalar>
struct RowWithMask {
  ForwardRow<Scalar> row;
  LooseRows<Scalar const> logits;
  LooseRows<MaskEntry const> mask;

  __device__ RowWithMask(RowGeometry<4> const& geometry, ForwardOperands<Scalar> const& operands,
                         HeldMasks const& masks, int64_t number) {
    auto const length = static_cast<int>(geometry.length);
    int64_t offsets[4];
    find_row(geometry, number, offsets);
    row = operands.row_at(geometry, offsets, /*exists=*/true);
    logits = {row.logits_begin, length};
    mask = {masks.begin + offsets[3], length};
  }
};

}  // namespace detail

// A block is a warp. The geometry's operands are weights, logits, support and mask. HasSmallK says
// that k <= 32.
template <template <class> class MappingOf, class Scalar, bool HasSmallK>
__global__ void __launch_bounds__(kWarpThreads, kMostBlocksOfMultiprocessor)
    held_masked_kernel(__grid_constant__ RowGeometry<4> const geometry,
                       ForwardOperands<Scalar> operands, HeldStages<Scalar> stages, HeldMasks masks,
                       typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  ZETA_SHARED_ARRAY(CandidateArray<Scalar>, array, 1);
  WarpPipe pipe(stages.count, stages.chunks);
  pipe.for_each(
      geometry.rows,
      [&](int64_t number, int stage) {
        detail::RowWithMask<Scalar> const from(geometry, operands, masks, number);
        load_covers(pipe, stage, CoverOfRows<Scalar>{from.logits, stages.end},
                    CoverOfRows<MaskEntry>{from.mask, masks.end, masks.first_chunk});
      },
      [&](int64_t number, int stage) {
        detail::RowWithMask<Scalar> const from(geometry, operands, masks, number);
        HeldRow<Scalar> const logits(pipe.stage(stage), from.logits.shift(), from.logits.entries);
        auto const* const mask =
            reinterpret_cast<MaskEntry const*>(pipe.stage(stage) + masks.first_chunk);
        bool const any_takes_part = logits.leave_out(mask + from.mask.shift());
        logits.mask_others();
        weigh_held<HasSmallK, Mapping>(pipe, stage, logits, any_takes_part, from.row, operands.k,
                                       fixed, array[0]);
      });
}

}  // namespace zeta::rowwise::cuda
