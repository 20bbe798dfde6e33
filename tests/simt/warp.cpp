#include "simt/warp.h"

#include <cstdio>

#include "simt/fault.h"

namespace zeta::simt {
namespace {

unsigned bit(unsigned lane) { return 1U << lane; }

}  // namespace

std::string mask_text(unsigned mask) {
  char text[11];
  std::snprintf(text, sizeof(text), "0x%08x", mask);
  return text;
}

void Warp::reset(unsigned lanes) {
  present_ = lanes == kWarpLanes ? ~0U : bit(lanes) - 1;
  returned_ = 0;
  gathering_count_ = 0;
}

unsigned Warp::arrive(Collective const& collective, Arrival const& arrival) {
  auto const& [lane, mask, value, source, where] = arrival;
  auto const fail = [&](std::string const& what) {
    throw Fault(where, std::string(collective.name) + " by lane " + std::to_string(lane) +
                           " with the mask " + mask_text(mask) + ": " + what);
  };
  if ((mask & bit(lane)) == 0) fail("the mask lacks the calling lane");
  if ((mask & ~present_) != 0) fail("the block has the lanes " + mask_text(present_) + " only");
  if ((mask & returned_) != 0) {
    fail("missing lanes: " + mask_text(mask & returned_) + " have returned from the kernel");
  }
  if (collective.exchanges && (mask & bit(source)) == 0) {
    fail("it reads lane " + std::to_string(source) + ", which the mask lacks");
  }

  Gathering& gathering = gathering_of(collective, arrival);
  gathering.arrived |= bit(lane);
  values_.given[lane] = value;
  values_.source[lane] = source;
  if (gathering.arrived != mask) return 0;
  collective.combine(mask, values_);
  gathering = gatherings_[--gathering_count_];
  return mask;
}

Warp::Gathering& Warp::gathering_of(Collective const& collective, Arrival const& arrival) {
  Gathering* same = nullptr;
  for (unsigned i = 0; i < gathering_count_; ++i) {
    Gathering& other = gatherings_[i];
    if (other.collective == &collective && other.mask == arrival.mask &&
        same_place(other.where, arrival.where)) {
      same = &other;
    } else if ((other.arrived & arrival.mask) != 0 && (other.mask & bit(arrival.lane)) != 0) {
      // The two would wait for one another for ever.
      throw Fault(arrival.where, std::string(collective.name) + " by lane " +
                                     std::to_string(arrival.lane) + " with the mask " +
                                     mask_text(arrival.mask) + ": the lanes " +
                                     mask_text(other.arrived) + " are at " +
                                     other.collective->name + " with the mask " +
                                     mask_text(other.mask) + " at " + Fault::text(other.where));
    }
  }
  if (same == nullptr) {
    same = &gatherings_[gathering_count_++];
    *same = {&collective, arrival.where, arrival.mask, 0};
  }
  return *same;
}

void Warp::leave(unsigned lane) {
  returned_ |= bit(lane);
  for (unsigned i = 0; i < gathering_count_; ++i) {
    auto const& gathering = gatherings_[i];
    if ((gathering.mask & bit(lane)) == 0) continue;
    throw Fault(gathering.where,
                std::string(gathering.collective->name) + " by the lanes " +
                    mask_text(gathering.arrived) + " with the mask " + mask_text(gathering.mask) +
                    ": missing lanes: " + mask_text(bit(lane)) + " has returned from the kernel");
  }
}

}  // namespace zeta::simt
