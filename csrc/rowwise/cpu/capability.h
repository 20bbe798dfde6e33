#pragma once

#include <array>
#include <string_view>

#include "rowwise/export.h"

// The kernels are compiled once for each instruction set that the compiler's target has, and chosen
// when the first of them is called.
namespace zeta::rowwise::cpu {

enum class Capability { kDefault, kAvx2, kAvx512 };

// The words that ATEN_CPU_CAPABILITY has for them, in the order of the enumeration.
inline constexpr std::array<std::string_view, 3> kCapabilityNames = {"default", "avx2", "avx512"};

// The highest capability that both this processor and this build have.
Capability highest_capability();

// The capability that the environment variable ZETA_CPU_CAPABILITY named when the library was
// loaded, or else the highest. Throws std::runtime_error for a word that is none of the above, or
// that is beyond the highest.
ZETA_ENGINE_API Capability capability();

}  // namespace zeta::rowwise::cpu
