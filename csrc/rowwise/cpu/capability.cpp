#include "rowwise/cpu/capability.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "rowwise/environment.h"

namespace zeta::rowwise::cpu {
namespace {

Capability requested_capability() {
  Capability const highest = highest_capability();
  auto const name = environment_variable("ZETA_CPU_CAPABILITY");
  if (!name.has_value()) return highest;
  auto const found = std::find(kCapabilityNames.begin(), kCapabilityNames.end(), *name);
  if (found == kCapabilityNames.end()) {
    throw std::runtime_error("ZETA_CPU_CAPABILITY: expected default, avx2 or avx512, but got " +
                             std::string(*name));
  }
  auto const requested = static_cast<Capability>(found - kCapabilityNames.begin());
  if (requested > highest) {
    auto const index = static_cast<size_t>(highest);
    throw std::runtime_error("ZETA_CPU_CAPABILITY: got " + std::string(*name) +
                             ", but the highest that this processor and this build have is " +
                             std::string(kCapabilityNames[index]));
  }
  return requested;
}

FromEnvironment<Capability> const requested(&requested_capability);

}  // namespace

Capability highest_capability() {
#ifdef __x86_64__
  bool const has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
  bool const has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512) return Capability::kAvx512;
  if (has_avx2) return Capability::kAvx2;
#endif
  return Capability::kDefault;
}

Capability capability() { return requested.value(); }

}  // namespace zeta::rowwise::cpu
