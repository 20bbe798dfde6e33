#pragma once

#include <cstdint>

#include "rowwise/cuda/launch_kernel.cuh"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/list_columns.cuh"
#include "rowwise/cuda/passes/masked_row.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/mask.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cuda {

namespace detail {

// A view of a row in which NaN is larger than all numbers.
template <class Scalar, class Row>
struct RankedRow {
  Row row;

  __device__ Scalar operator[](int64_t column) const { return with_greatest_nan(row[column]); }

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    row.for_each(group,
                 [&](int64_t column, Scalar entry) { visit(column, with_greatest_nan(entry)); });
  }
};

template <class Scalar, class Row>
__device__ void list_largest(Row const& unranked, int64_t length, int64_t count, int64_t* result,
                             int64_t stride) {
  RankedRow<Scalar, Row> const row = {unranked};
  using Key = typename Keys<Scalar, RankedRow<Scalar, Row>>::Number;
  Block<kThreadsPerBlock> const block;
  Range<Key> const all = {Key{kLeast<key_t<Scalar>>}, Key{kGreatest<key_t<Scalar>>}, length};
  auto const selection = select_largest<Scalar>(block, row, count, all, length);
  list_columns(
      block, length, [&](int64_t column) { return selection.includes(column, row[column]); },
      [&](int64_t place, int64_t column) { result[place * stride] = column; });
}

}  // namespace detail

// Lists the indices of the `count` largest entries of each row. The geometry's operands are columns
// and entries. Block b takes rows b, b + gridDim.x and so on, and makes passes over each row in
// global memory.
template <class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    largest_kernel(__grid_constant__ RowGeometry<2> const geometry, int64_t* columns,
                   Scalar const* entries, int64_t count) {
  for (int64_t number = blockIdx.x; number < geometry.rows; number += gridDim.x) {
    int64_t offsets[2];
    geometry.offsets(number, offsets);
    StridedRow<Scalar const> const row = {entries + offsets[1], geometry.stride[1],
                                          geometry.length};
    detail::list_largest<Scalar>(row, geometry.length, count, columns + offsets[0],
                                 geometry.stride[0]);
  }
}

// The same where a mask, the third operand, leaves entries out.
template <class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    largest_masked_kernel(__grid_constant__ RowGeometry<3> const geometry, int64_t* columns,
                          Scalar const* entries, MaskEntry const* mask, int64_t count) {
  for (int64_t number = blockIdx.x; number < geometry.rows; number += gridDim.x) {
    int64_t offsets[3];
    geometry.offsets(number, offsets);
    MaskedRow<Scalar const> const row = {
        {entries + offsets[1], geometry.stride[1], geometry.length},
        mask + offsets[2],
        geometry.stride[2],
        geometry.length};
    detail::list_largest<Scalar>(row, geometry.length, count, columns + offsets[0],
                                 geometry.stride[0]);
  }
}

template <class Scalar>
cudaError_t launch_largest(RowGeometry<2> const& geometry, int64_t* columns, Scalar const* entries,
                           int64_t count, cudaStream_t stream) {
  return detail::launch(largest_kernel<Scalar>, detail::blocks_for(geometry.rows, 1),
                        kThreadsPerBlock, stream, geometry, columns, entries, count);
}

template <class Scalar>
cudaError_t launch_largest_masked(RowGeometry<3> const& geometry, int64_t* columns,
                                  Scalar const* entries, MaskEntry const* mask, int64_t count,
                                  cudaStream_t stream) {
  return detail::launch(largest_masked_kernel<Scalar>, detail::blocks_for(geometry.rows, 1),
                        kThreadsPerBlock, stream, geometry, columns, entries, mask, count);
}

}  // namespace zeta::rowwise::cuda
