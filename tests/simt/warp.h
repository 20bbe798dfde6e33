#pragma once

#include <array>
#include <cstdint>
#include <source_location>
#include <string>

namespace zeta::simt {

inline constexpr unsigned kWarpLanes = 32;

// What the lanes of one warp give to an operation and get from it.
struct LaneValues {
  std::array<uint64_t, kWarpLanes> given;
  std::array<unsigned, kWarpLanes> source;  // the lane whose value this one asks for
  std::array<uint64_t, kWarpLanes> result;
};

// An operation of several lanes of a warp.
struct Collective {
  char const* name;
  bool exchanges;  // lanes read the values of their source
  void (*combine)(unsigned lanes, LaneValues& values);
};

std::string mask_text(unsigned mask);

// Brings lanes together: the last one to arrive computes what each of them gets.
class Warp {
 public:
  // Begins a block, in which the warp has the lanes 0 to lanes - 1.
  void reset(unsigned lanes);

  struct Arrival {
    unsigned lane;
    unsigned mask;
    uint64_t value;
    unsigned source;
    std::source_location where;
  };

  // Returns the lanes that may go on, or 0 if the arriving lane has to wait for others.
  unsigned arrive(Collective const& collective, Arrival const& arrival);

  uint64_t result(unsigned lane) const { return values_.result[lane]; }

  void leave(unsigned lane);

 private:
  // Lanes that wait for the rest of their mask.
  struct Gathering {
    Collective const* collective;
    std::source_location where;
    unsigned mask;
    unsigned arrived;
  };

  Gathering& gathering_of(Collective const& collective, Arrival const& arrival);

  unsigned present_ = 0;   // lanes that the block has
  unsigned returned_ = 0;  // lanes that have left the kernel
  LaneValues values_ = {};
  std::array<Gathering, kWarpLanes> gatherings_ = {};
  unsigned gathering_count_ = 0;
};

}  // namespace zeta::simt
