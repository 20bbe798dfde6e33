#include "rowwise/cuda/forward/plan.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>

#include "rowwise/cuda/forward/plan_columns.h"
#include "rowwise/cuda/forward/plan_stages.h"
#include "rowwise/cuda/forward/plan_warps.h"
#include "rowwise/cuda/tuning.h"
#include "rowwise/environment.h"

namespace zeta::rowwise::cuda {
namespace {

// Whether loose rows are better held as they lie than moved to where each begins at a chunk.
bool is_better_held(Shape const& shape) {
  return is_loose(shape) && row_bytes(shape) > kMostLooseBytes &&
         most_non_zeros(shape) <= kMostHeldNonZeros;
}

// Whether rows that a warp could hold take less time in segments, which the warps of a block share.
bool is_better_cut(Shape const& shape) {
  return shape.element_bytes <= 4 && row_bytes(shape) > kStageBytes &&
         most_non_zeros(shape) > kMostHeldNonZeros;
}

Regime regime_for(Shape const& shape, Device const& device) {
  auto const may_be = [&](Regime regime) { return is_possible(regime, shape, device); };
  if (may_be(Regime::kHeld) && is_better_held(shape)) return Regime::kHeld;
  for (Regime const regime : {Regime::kFew, Regime::kMany}) {
    if (may_be(regime)) return regime;
  }
  if (may_be(Regime::kSegments) && is_better_cut(shape)) return Regime::kSegments;
  for (Regime const regime : {Regime::kHeld, Regime::kSegments, Regime::kColumns}) {
    if (may_be(regime)) return regime;
  }
  return Regime::kPasses;
}

std::optional<Regime> regime_of_environment() {
  auto const name = environment_variable("ZETA_CUDA_PLAN");
  if (!name.has_value()) return std::nullopt;
  auto const found = std::find(kRegimeNames.begin(), kRegimeNames.end(), *name);
  if (found == kRegimeNames.end()) {
    throw std::runtime_error(
        "ZETA_CUDA_PLAN: expected few, many, held, segments, columns or passes, but got " +
        std::string(*name));
  }
  return static_cast<Regime>(found - kRegimeNames.begin());
}

// Whether the kernels that a regime has for such shapes take every mapping.
bool is_for_every_mapping(Regime regime, Shape const& shape) {
  switch (regime) {
    case Regime::kFew:
      return row_bytes(shape) <= kMostSearchedBytes;
    case Regime::kHeld:
      return most_non_zeros(shape) <= kWarpThreads || row_bytes(shape) <= kMostCrowdedBytes;
    case Regime::kSegments:
      return shape.k <= kWarpThreads;
    case Regime::kColumns:
      return most_non_zeros(shape) <= kMostListedNonZeros;
    default:
      return regime != Regime::kMany;
  }
}

FromEnvironment<std::optional<Regime>> const requested(&regime_of_environment);

}  // namespace

bool is_possible(Regime regime, Shape const& shape, Device const& device) {
  bool const takes_masks = regime == Regime::kHeld || regime == Regime::kPasses;
  if (shape.has_mask && !takes_masks) return false;
  // Many candidates of a row that is held are passed over by one warp, which pays for short rows
  // alone. With a mask every mapping comes to that.
  bool const is_limited = !shape.is_by_sums || shape.has_mask;
  if (is_limited && !is_for_every_mapping(regime, shape)) return false;
  switch (regime) {
    case Regime::kFew:
      return is_possible_for_few(shape, device);
    case Regime::kMany:
      return is_possible_for_many(shape, device);
    case Regime::kHeld:
      return is_possible_for_held(shape, device);
    case Regime::kSegments:
      return is_possible_for_segments(shape);
    case Regime::kColumns:
      return is_possible_for_columns(shape);
    default:
      return true;
  }
}

Plan plan_for(Regime regime, Shape const& shape, Device const& device) {
  Plan plan = {.regime = regime};
  switch (regime) {
    case Regime::kFew:
      plan.list_size =
          shape.is_by_sums ? list_size(most_non_zeros(shape)) : kFewSizes[std::size(kFewSizes) - 1];
      share_stages(shape, device, plan, chunks_that_hold(plan.list_size, shape.element_bytes));
      break;
    case Regime::kMany:
      share_stages(shape, device, plan, fewest_chunks_of_many(shape.element_bytes));
      break;
    case Regime::kHeld:
      hold_rows(shape, device, plan);
      break;
    case Regime::kSegments:
      cut_rows(shape, device, plan);
      share_merging(shape, device, plan);
      break;
    case Regime::kColumns:
      share_columns(shape, device, plan);
      break;
    default:
      break;
  }
  return plan;
}

Plan plan_for(Shape const& shape, Device const& device) {
  return plan_for(regime_for(shape, device), shape, device);
}

std::optional<Regime> requested_regime() { return requested.value(); }

Plan requested_plan(Shape const& shape, Device const& device) {
  auto const regime = requested_regime();
  bool const is_asked_for = regime.has_value() && is_possible(*regime, shape, device);
  return is_asked_for ? plan_for(*regime, shape, device) : plan_for(shape, device);
}

}  // namespace zeta::rowwise::cuda
