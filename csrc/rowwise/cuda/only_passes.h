#pragma once

#include "mappings/family.h"
#include "mappings/root_search.h"

namespace zeta::rowwise::cuda {

// Whether a mapping has kernels by passes alone, but for forwards of few non-zeros, see
// forward/plan.cpp. All others are for a threshold that follows from one sum of terms, and a slope
// that is 1 on the support.
template <class Mapping>
inline constexpr bool kHasOnlyPasses =
    mappings::kHasSearch<Mapping> || !Mapping::Slope::kIsConstant;

namespace detail {

struct HasOnlyPasses {
  template <template <class> class MappingOf>
  constexpr bool operator()() const {
    return kHasOnlyPasses<MappingOf<float>>;
  }
};

}  // namespace detail

// The same of an alpha.
inline bool has_only_passes(double alpha) {
  return mappings::with_mapping(alpha, detail::HasOnlyPasses());
}

}  // namespace zeta::rowwise::cuda
