#pragma once

#include <cstdint>

#include "mappings/host_device.h"
#include "rowwise/cuda/tuning.h"

namespace zeta::rowwise::cuda {

// The global memory through which the blocks of a team exchange values. Exchanges use two places by
// turns, so that no block writes what another one still reads.
struct TeamMemory {
  static constexpr int kValueBytes = 32;

  struct OfBlock {
    alignas(16) unsigned char values[2][kValueBytes];
    int histograms[2][kDigitValues];
  };

  OfBlock* blocks;
  unsigned* arrivals;  // 0 before the launch

  // Lays out the memory of all teams in a part of the launch's workspace.
  ZETA_HOST_DEVICE TeamMemory(void* memory, int teams, int blocks_of_team)
      : blocks(static_cast<OfBlock*>(memory)),
        arrivals(reinterpret_cast<unsigned*>(blocks + teams * int64_t{blocks_of_team})) {}

  static constexpr int64_t bytes(int teams, int blocks_of_team) {
    return teams * (blocks_of_team * static_cast<int64_t>(sizeof(OfBlock)) +
                    static_cast<int64_t>(sizeof(unsigned)));
  }

  // Returns the memory of one team.
  ZETA_HOST_DEVICE TeamMemory of(int team, int blocks_of_team) const {
    TeamMemory result = *this;
    result.blocks += team * int64_t{blocks_of_team};
    result.arrivals += team;
    return result;
  }
};

}  // namespace zeta::rowwise::cuda
