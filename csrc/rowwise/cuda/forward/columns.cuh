#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "mappings/root_search.h"
#include "rowwise/cuda/forward/column_lists.cuh"
#include "rowwise/cuda/forward/column_passes.cuh"
#include "rowwise/cuda/forward/column_supports.cuh"
#include "rowwise/cuda/forward/column_tile.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// Rows side by side in memory. The threads of a warp read an entry each of neighbouring rows, and
// each thread of a row reads a part of it. One pass over the rows lists candidates and writes
// zeros. The weights of each row's candidates are then written over some of these zeros.
namespace zeta::rowwise::cuda {

// Lists the candidates of this thread's part of its rows, and writes zeros there.
template <class Mapping, class Scalar>
__device__ inline ColumnPart<Mapping, Scalar> list_part(ColumnMemory<Scalar> const& memory,
                                                        ColumnTile<Scalar> const& tile, int k,
                                                        typename Mapping::Fixed const& fixed) {
  ColumnPart<Mapping, Scalar> part(memory, k, fixed);
  __syncthreads();
  tile.list_and_clear(part);
  part.publish();
  __syncthreads();
  part.raise_bounds();
  return part;
}

// Weighs rows for k <= K. Each part finds its k largest entries by insertion.
template <template <class> class MappingOf, class Scalar, int K>
__global__ void __launch_bounds__(mappings::kHasSearch<MappingOf<float>> ? kMostThreadsOfColumns
                                                                         : kBoundOfFewColumns,
                                  1)
    columns_few_kernel(__grid_constant__ RowGeometry<3> const geometry,
                       ForwardOperands<Scalar> operands, ColumnTiles tiles,
                       typename MappingOf<float>::Fixed fixed) {
  using Mapping = MappingOf<float>;
  ZETA_DYNAMIC_SHARED_ARRAY(unsigned char, shared_memory);
  ColumnMemory<Scalar> const memory(shared_memory, tiles);
  ColumnTile<Scalar> const tile(geometry, operands, tiles);
  int const k = tile.non_zeros(operands.k);
  auto const part = list_part<Mapping>(memory, tile, k, fixed);
  FewOfColumns<Mapping, Scalar, K>(memory, tile, k, fixed).write(part);
  tile.fill_nan_rows(memory);
}

// Weighs rows for any k. Unless HasSmallK, lists may have no room for all candidates, and such rows
// are passed over again.
template <template <class> class MappingOf, class Scalar, bool HasSmallK>
__global__ void __launch_bounds__(kMostThreadsOfColumns, 1)
    columns_kernel(__grid_constant__ RowGeometry<3> const geometry,
                   ForwardOperands<Scalar> operands, ColumnTiles tiles,
                   typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  ZETA_DYNAMIC_SHARED_ARRAY(unsigned char, shared_memory);
  ColumnMemory<Scalar> const memory(shared_memory, tiles);
  ColumnTile<Scalar> const tile(geometry, operands, tiles);
  int const k = tile.non_zeros(operands.k);
  list_part<Mapping>(memory, tile, k, fixed).publish_lists();
  write_listed<Mapping>(memory, tile, k, fixed);
  tile.fill_nan_rows(memory);
  if constexpr (!HasSmallK) pass_over_crowded<Mapping>(memory, tile, k, fixed);
}

}  // namespace zeta::rowwise::cuda
