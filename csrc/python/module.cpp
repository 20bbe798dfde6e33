#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <zeta/version.h>

#include <optional>
#include <string>
#include <vector>

#include "python/build_facts.h"
#include "rowwise/cpu/capability.h"
#include "rowwise/cpu/huge_pages.h"
#include "rowwise/cuda/forward/plan.h"

extern char const* const zeta_build_id;

PYBIND11_MODULE(_C, module, pybind11::mod_gil_not_used()) {
  namespace facts = zeta::build_facts;
  std::string const cuda_version = facts::kCudaVersion;

  module.doc() = "What this build of zeta holds; readable without loading the library.";
  module.attr("version") = ZETA_VERSION;
  module.attr("torch_version") = facts::kTorchVersion;
  module.attr("cuda_version") =
      cuda_version.empty() ? std::nullopt : std::make_optional(cuda_version);
  module.attr("cuda_architectures") = facts::kCudaArchitectures;
  module.def("cpu_capability", [] {
    return zeta::rowwise::cpu::kCapabilityNames[static_cast<size_t>(
        zeta::rowwise::cpu::capability())];
  });
  module.def("uses_huge_pages", &zeta::rowwise::cpu::uses_huge_pages);
  module.def("cuda_plan", []() -> std::optional<std::string> {
    auto const regime = zeta::rowwise::cuda::requested_regime();
    if (!regime.has_value()) return std::nullopt;
    return zeta::rowwise::cuda::kRegimeNames[static_cast<size_t>(*regime)];
  });
  module.attr("compiler") = facts::kCompiler;
  module.attr("build_id") = zeta_build_id;
}
