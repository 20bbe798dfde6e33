#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/dependent_launch.cuh"
#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/merged_lists.cuh"
#include "rowwise/cuda/forward/merged_row.cuh"
#include "rowwise/cuda/forward/segment_lists.h"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/candidates.cuh"
#include "rowwise/cuda/passes/list_columns.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/passes/team.cuh"
#include "rowwise/cuda/passes/team_memory.h"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// The second kernel of long rows, for larger k. A block lists the candidates of all segments of a
// row. If there are too many, a team of blocks passes over their lists, or over the row.
namespace zeta::rowwise::cuda {

// Copies the candidates of all segments, in any order, and returns their number. All must have
// room.
template <class Mapping, class Scalar>
__device__ inline int list_candidates(MergedRow<Mapping, Scalar> const& row, Scalar* entries,
                                      int* columns) {
  ZETA_SHARED_ARRAY(int, listed, 1);
  auto const thread = static_cast<int>(threadIdx.x);
  if (thread == 0) listed[0] = 0;
  row.for_live_segments([&](int const* live, int segments) {
    for (int i = thread; i < segments * row.capacity(); i += kThreadsPerBlock) {
      auto const one = row.candidate(live[i / row.capacity()], i % row.capacity());
      if (!one.exists()) continue;
      int const place = atomicAdd(&listed[0], 1);
      entries[place] = one.entry();
      columns[place] = one.column;
    }
  });
  return listed[0];
}

// Offers the candidates of some segments, in global memory, as the entries of a row.
template <class Mapping, class Scalar>
struct CandidatesOfSegments {
  MergedRow<Mapping, Scalar> const& row;
  int first;
  int last;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
#pragma unroll 1
    for (int segment = first; segment < last; ++segment) {
      int const count = row.count_of(segment);
      for (int place = group.rank(); place < count; place += group.threads()) {
        auto const one = row.candidate(segment, place);
        if (one.exists()) visit(one.column, one.entry());
      }
    }
  }
};

// Weighs a row with more candidates than have room in shared memory, by passes of a team over the
// lists of its segments.
template <class Mapping, class Scalar>
__device__ inline void forward_listed_row(Team const& team, Block<kThreadsPerBlock> const& block,
                                          MergedRow<Mapping, Scalar> const& merged,
                                          Mapping const& mapping, ForwardRow<Scalar> const& row,
                                          int64_t k) {
  auto const segment_of = [&](int part) {
    return static_cast<int>(int64_t{merged.segments()} * part / team.blocks());
  };
  CandidatesOfSegments<Mapping, Scalar> const candidates = {merged, segment_of(team.number()),
                                                            segment_of(team.number() + 1)};
  auto const weigh = find_weights<true>(team, mapping, candidates, merged.largest(), k, row.length);
  auto const weights = row.weights();
  candidates.for_each(block, [&](int column, Scalar entry) {
    Scalar const weight = weigh(column, entry);
    if (widen(weight) != 0) weights[column] = weight;
  });
  if (!row.support.is_wanted()) return;
  team.synchronize();
  if (team.number() == 0) row.support.list_nonzero(block, weights, row.length, true);
}

namespace detail {

// A part of a row, with the indices of the whole row.
template <class Scalar>
struct PartOfRow {
  ContiguousRow<Scalar const> entries;
  int first_column;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    entries.for_each(group, [&](int column, Scalar entry) { visit(first_column + column, entry); });
  }
};

}  // namespace detail

// Weighs a row of which a segment had too many candidates, by a team of blocks that each pass over
// a part of it. `buffer` is shared memory for the part, or null.
template <class Mapping, class Scalar>
__device__ inline void forward_crowded_row(Team const& team, Block<kThreadsPerBlock> const& block,
                                           Mapping const& mapping, ForwardRow<Scalar> const& row,
                                           Scalar* buffer, int64_t k) {
  auto const length = static_cast<int>(row.length);
  int const part_length = (length - 1) / team.blocks() + 1;
  auto const column_of = [&](int part) {
    int64_t const column = int64_t{part} * part_length;
    return column < length ? static_cast<int>(column) : length;
  };
  int const first = column_of(team.number());
  int const last = column_of(team.number() + 1);
  auto logits = row.logits().part(first, last);
  auto const weights = row.weights().part(first, last);
  if (buffer != nullptr) {
    ContiguousRow<Scalar> const copy = {buffer + logits.shift(), logits.length};
    logits.map(block, copy, [](int, Scalar entry) { return entry; });
    block.synchronize();
    logits.begin = copy.begin;
  }
  detail::PartOfRow<Scalar> const part = {logits, first};
  auto const largest = narrow<Scalar>(mapping.maximum());
  auto const weigh = find_weights<true>(team, mapping, part, largest, k, row.length);
  logits.map(block, weights,
             [&](int column, Scalar entry) { return weigh(first + column, entry); });
  if (!row.support.is_wanted()) return;

  block.synchronize();
  EntryCount count;
  weights.for_each(block, [&](int, Scalar weight) { count.value += widen(weight) != 0 ? 1 : 0; });
  count = block.reduce(count);
  int64_t const before = team.sum_before(count.value);
  list_columns(
      block, weights.length, [&](int64_t column) { return widen(weights[column]) != 0; },
      [&](int64_t place, int64_t column) {
        row.support.begin[1 + before + place] = static_cast<int32_t>(first + column);
      });
  if (team.number() == team.blocks() - 1) {
    row.support.close(block, before + count.value, true);
  }
}

// Each team takes every teams-th row. The launch may give a block shared memory for its part.
template <template <class> class MappingOf, class Scalar>
__global__ void __launch_bounds__(kThreadsPerBlock, kBlocksOfThreads)
    merge_all_kernel(__grid_constant__ RowGeometry<3> const geometry,
                     ForwardOperands<Scalar> operands, int segments,
                     SegmentLists<candidate_key_t<Scalar>> lists, TeamMemory teams_memory,
                     int blocks_of_team, bool has_buffer,
                     typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  ZETA_DYNAMIC_SHARED_ARRAY(Scalar, buffer);
  ZETA_SHARED_ARRAY(Scalar, entries, kCandidatesPerBlock);
  ZETA_SHARED_ARRAY(int, columns, kCandidatesPerBlock);
  wait_for_first_kernel();
  Block<kThreadsPerBlock> const block;
  int const teams = static_cast<int>(gridDim.x) / blocks_of_team;
  int const own_team = static_cast<int>(blockIdx.x) / blocks_of_team;
  Team const team(block, teams_memory.of(own_team, blocks_of_team),
                  static_cast<int>(blockIdx.x) % blocks_of_team, blocks_of_team);
  int64_t const k = operands.k;
  for (int64_t number = own_team; number < geometry.rows; number += teams) {
    auto const row = operands.row(geometry, number);
    MergedRow<Mapping, Scalar> merged(block, lists, segments, number, k);
    // All blocks of the team find the same, and the first one writes it.
    if (!merged.is_ordinary()) {
      if (team.number() == 0) write_nan(block, row);
      continue;
    }
    Mapping const mapping(widen(merged.largest()), fixed);
    merged.raise_bound(mapping);
    int64_t const count = merged.count_all();
    if (count < 0) {
      forward_crowded_row(team, block, mapping, row, has_buffer ? buffer : nullptr, k);
    } else if (count > kCandidatesPerBlock) {
      forward_listed_row(team, block, merged, mapping, row, k);
    } else if (team.number() == 0) {
      int const listed = list_candidates(merged, entries, columns);
      Candidates<Scalar, int> const candidates = {entries, columns, listed, 1};
      auto const weights =
          find_weights(block, mapping, candidates, merged.largest(), k, row.length);
      candidates.write(block, row.weights(), weights, row.support);
    }
    block.synchronize();
  }
}

}  // namespace zeta::rowwise::cuda
