#include "rowwise/cuda/forward/plan.h"

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

namespace zeta::rowwise::cuda {
namespace {

std::optional<Regime> requested_regime() {
  char const* const name = std::getenv("ZETA_CUDA_PLAN");
  if (name == nullptr) return std::nullopt;
  auto const found = std::find(kRegimeNames.begin(), kRegimeNames.end(), std::string(name));
  if (found == kRegimeNames.end()) {
    throw std::runtime_error(
        "ZETA_CUDA_PLAN: expected few, many, held, segments, lanes, block, split, columns or "
        "passes, but "
        "got " +
        std::string(name));
  }
  return static_cast<Regime>(found - kRegimeNames.begin());
}

}  // namespace

Plan requested_plan(Shape const& shape, Device const& device) {
  static std::optional<Regime> const regime = requested_regime();
  bool const is_asked_for = regime.has_value() && is_possible(*regime, shape, device);
  return is_asked_for ? plan_for(*regime, shape, device) : plan_for(shape, device);
}

}  // namespace zeta::rowwise::cuda
