#pragma once

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/candidates.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// Rows side by side in memory: each warp reads an entry of 32 neighbouring rows at once. A row is
// passed over twice, for its maximum and for its candidates.
namespace zeta::rowwise::cuda {

namespace detail {

// The candidates of a row, or all of it if there are too many.
template <class Scalar>
struct CandidatesOrRow {
  Candidates<Scalar, int> candidates;
  StridedRow<Scalar const> row;
  bool is_listed;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    if (is_listed) {
      candidates.for_each(group, visit);
    } else {
      row.for_each(group, visit);
    }
  }
};

}  // namespace detail

template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kColumnRows* kThreadsPerColumnRow, kBlocksOfColumns)
    forward_columns_kernel(__grid_constant__ RowGeometry<3> const geometry,
                           ForwardOperands<Scalar> operands,
                           typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  ZETA_SHARED_ARRAY(Scalar, entries, kCandidatesPerColumnRow * kColumnRows);
  ZETA_SHARED_ARRAY(int, columns, kCandidatesPerColumnRow* kColumnRows);
  ZETA_SHARED_ARRAY(int, counts, kColumnRows);
  BlockColumn<kColumnRows, kThreadsPerColumnRow> const group;
  auto const x = static_cast<int>(threadIdx.x);
  int64_t const k = operands.k;
  auto const row = operands.row(geometry, static_cast<int64_t>(blockIdx.x) * kColumnRows + x);
  auto const logits = row.strided_logits();
  auto const weights = row.strided_weights();

  auto own_range = KeyRange<Scalar>::empty();
  logits.for_each(group,
                  [&](int64_t, Scalar entry) { own_range.add(KeyRange<Scalar>::of(entry)); });
  if (group.rank() == 0) counts[x] = 0;
  auto const range = group.reduce(own_range);
  bool const is_ordinary = range.is_ordinary();
  Mapping const mapping(range.maximum(), fixed);
  auto bound = mapping.lower_bound();
  if (k <= kMostLargest && k <= group.threads()) {
    auto const kth =
        widen(scalar_of<Scalar>(key_of_kth_thread<Scalar>(group, own_range.largest, k)));
    if (kth > bound) bound = kth;
  }
  logits.map(group, weights, [&](int64_t column, Scalar entry) {
    if (is_ordinary && widen(entry) >= bound) {
      int const place = atomicAdd(&counts[x], 1);
      if (place < kCandidatesPerColumnRow) {
        entries[place * kColumnRows + x] = entry;
        columns[place * kColumnRows + x] = static_cast<int>(column);
      }
    }
    return narrow<Scalar>(is_ordinary ? 0 : NAN);
  });
  __syncthreads();

  bool const is_listed = counts[x] <= kCandidatesPerColumnRow;
  detail::CandidatesOrRow<Scalar> const all = {
      {entries + x, columns + x, counts[x], kColumnRows}, logits, is_listed};
  auto const row_weights =
      find_weights(group, mapping, all, scalar_of<Scalar>(range.largest), k, geometry.length);
  if (!is_listed) logits.map(group, weights, row_weights);
  auto list = all.candidates;
  auto support = row.support;
  if (!is_listed) list.count = 0;
  support.exists = row.support.exists && is_listed;
  list.write(group, weights, row_weights, support);
  if (!row.support.is_wanted() || !group.any(!is_listed)) return;
  support.exists = !is_listed;
  support.list_nonzero(group, weights, is_listed ? 0 : row.length, true);
}

}  // namespace zeta::rowwise::cuda
