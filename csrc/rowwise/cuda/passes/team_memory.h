#pragma once

#include <cstdint>

#include "mappings/host_device.h"
#include "rowwise/cuda/tuning.h"

namespace zeta::rowwise::cuda {

// What the blocks of a team tell one another, in global memory: by turns in one place and another,
// so that nothing is written while it is still read.
struct TeamMemory {
  static constexpr int kValueBytes = 32;

  struct OfBlock {
    alignas(16) unsigned char values[2][kValueBytes];
    int histograms[2][kDigitValues];
  };

  OfBlock* blocks;
  unsigned* arrivals;  // 0 before the launch

  // Of all teams, in memory that a launch is given.
  ZETA_HOST_DEVICE TeamMemory(void* memory, int teams, int blocks_of_team)
      : blocks(static_cast<OfBlock*>(memory)),
        arrivals(reinterpret_cast<unsigned*>(blocks + teams * int64_t{blocks_of_team})) {}

  static constexpr int64_t bytes(int teams, int blocks_of_team) {
    return teams * (blocks_of_team * static_cast<int64_t>(sizeof(OfBlock)) +
                    static_cast<int64_t>(sizeof(unsigned)));
  }

  // Of one of them.
  ZETA_HOST_DEVICE TeamMemory of(int team, int blocks_of_team) const {
    TeamMemory result = *this;
    result.blocks += team * int64_t{blocks_of_team};
    result.arrivals += team;
    return result;
  }
};

}  // namespace zeta::rowwise::cuda
