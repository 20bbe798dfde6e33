#pragma once

#include <cstddef>
#include <cstdint>

#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/forward/segment_lists.h"
#include "rowwise/cuda/passes/team_memory.h"

namespace zeta::rowwise::cuda {

// What the two kernels of long rows share, in the launch's workspace.
template <class Scalar>
struct SegmentsWorkspace {
  using Lists = SegmentLists<candidate_key_t<Scalar>>;

  int64_t segments;
  int capacity;
  int teams;  // 0 if each has one block
  int blocks_of_team;

  SegmentsWorkspace(int64_t rows, int64_t k, Plan const& plan)
      : segments(rows * plan.parts_per_row),
        capacity(segment_list_capacity(k, sizeof(Scalar), bytes_of_segment(plan))),
        teams(plan.blocks_of_team == 1 ? 0 : plan.merging_blocks / plan.blocks_of_team),
        blocks_of_team(plan.blocks_of_team) {}

  static int64_t bytes_of_segment(Plan const& plan) {
    return int64_t{plan.part_length} * plan.warps_per_row * static_cast<int64_t>(sizeof(Scalar));
  }

  int64_t bytes() const { return bytes_of_teams() + Lists::bytes(segments, capacity); }
  TeamMemory memory_of_teams(void* workspace) const { return {workspace, teams, blocks_of_team}; }
  Lists lists(void* workspace) const {
    return {static_cast<unsigned char*>(workspace) + bytes_of_teams(), segments, capacity};
  }

 private:
  int64_t bytes_of_teams() const {
    constexpr int64_t kAlignment = alignof(std::max_align_t);
    int64_t const bytes = TeamMemory::bytes(teams, blocks_of_team);
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
};

}  // namespace zeta::rowwise::cuda
