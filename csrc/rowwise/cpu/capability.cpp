#include "rowwise/cpu/capability.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace zeta::rowwise::cpu {
namespace {

Capability requested_capability() {
  Capability const highest = highest_capability();
  char const* const name = std::getenv("ZETA_CPU_CAPABILITY");
  if (name == nullptr) return highest;
  auto const found = std::find(kCapabilityNames.begin(), kCapabilityNames.end(), name);
  if (found == kCapabilityNames.end()) {
    throw std::runtime_error("ZETA_CPU_CAPABILITY: expected default, avx2 or avx512, but got " +
                             std::string(name));
  }
  auto const requested = static_cast<Capability>(found - kCapabilityNames.begin());
  if (requested > highest) {
    auto const index = static_cast<size_t>(highest);
    throw std::runtime_error("ZETA_CPU_CAPABILITY: got " + std::string(name) +
                             ", but the highest that this processor and this build have is " +
                             std::string(kCapabilityNames[index]));
  }
  return requested;
}

}  // namespace

Capability highest_capability() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return Capability::kAvx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c")) return Capability::kAvx2;
#endif
  return Capability::kDefault;
}

Capability capability() {
  static Capability const result = requested_capability();
  return result;
}

}  // namespace zeta::rowwise::cpu
