#pragma once

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cuda {

// Computes the weights of a row by passes over it in memory, for any row and any support.
template <class Mapping, class Group, class Row, class ResultRow>
__device__ void forward_by_passes(Group const& group, typename Mapping::Fixed const& fixed,
                                  Row const& logits, ResultRow const& weights,
                                  SupportRow const& support, int64_t k) {
  using Scalar = typename ResultRow::Value;
  auto range = KeyRange<Scalar>::empty();
  logits.for_each(group, [&](auto, Scalar entry) { range.add(KeyRange<Scalar>::of(entry)); });
  range = group.reduce(range);
  bool const is_ordinary = range.is_ordinary();
  if constexpr (requires { logits.leaves_out_all(group); }) {
    if (!is_ordinary && logits.leaves_out_all(group)) {
      logits.map(group, weights, [](auto, Scalar) { return narrow<Scalar>(0); });
      if (support.is_wanted()) support.list_nonzero(group, weights, logits.length, true);
      return;
    }
  }
  // A row that is not ordinary goes on without entries, since its group may share barriers with
  // others.
  EntriesIf<Row> const entries = {logits, is_ordinary};
  Mapping const mapping(range.maximum(), fixed);
  auto const largest = scalar_of<Scalar>(range.largest);
  auto const find = find_weights<true>(group, mapping, entries, largest, k, logits.length);
  logits.map(group, weights, [&](auto column, Scalar entry) {
    return is_ordinary ? find(column, entry) : narrow<Scalar>(NAN);
  });
  if (support.is_wanted()) support.list_nonzero(group, weights, logits.length, is_ordinary);
}

// The geometry's operands are weights, logits and support. Block b takes rows b, b + gridDim.x and
// so on.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    forward_passes_kernel(__grid_constant__ RowGeometry<3> const geometry,
                          ForwardOperands<Scalar> operands,
                          typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  Block<kThreadsPerBlock> const block;
  for (int64_t number = blockIdx.x; number < geometry.rows; number += gridDim.x) {
    auto const row = operands.row(geometry, number);
    forward_by_passes<MappingOf<widened_t<Scalar>>>(block, fixed, row.strided_logits(),
                                                    row.strided_weights(), row.support, operands.k);
  }
}

}  // namespace zeta::rowwise::cuda
