#pragma once

#include <cstdint>

namespace zeta::rowwise {

// A mask says with 0 that an entry of a row is left out, and with any other number that it takes
// part. The weight of an entry that is left out is 0, whatever the entry is; a row of which none
// takes part has weights of 0 alone.
using MaskEntry = uint8_t;

}  // namespace zeta::rowwise
