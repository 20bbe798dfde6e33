#include "rowwise/config.h"

#include <stdexcept>
#include <string>

#include "rowwise/build_facts.h"
#include "rowwise/cpu/capability.h"
#include "rowwise/cpu/huge_pages.h"
#include "rowwise/cuda/forward/plan.h"

namespace zeta::rowwise {
namespace {

// Those that the environment sets. Throws std::runtime_error for what it cannot set.
std::string settings() {
  auto const capability = static_cast<size_t>(cpu::capability());
  cuda::requested_regime();  // Throws, too; nothing else of it is told.
  return "cpu_capability " + std::string(cpu::kCapabilityNames[capability]) + "\nhuge_pages " +
         (cpu::uses_huge_pages() ? "1" : "0") + "\n";
}

std::string error_of_settings() {
  try {
    settings();
  } catch (std::runtime_error const& error) {
    return error.what();
  }
  return "";
}

}  // namespace

char const* cuda_architectures() { return build_facts::kCudaArchitectures; }

}  // namespace zeta::rowwise

char const* zeta_engine_error() {
  static std::string const error = zeta::rowwise::error_of_settings();
  return error.c_str();
}

char const* zeta_engine_config() {
  namespace facts = zeta::rowwise::build_facts;
  static std::string const config = std::string("version ") + facts::kVersion + "\ncompiler " +
                                    facts::kCompiler + "\ncuda_version " + facts::kCudaVersion +
                                    "\ncuda_architectures " + facts::kCudaArchitectures + "\n" +
                                    (*zeta_engine_error() == '\0' ? zeta::rowwise::settings() : "");
  return config.c_str();
}
