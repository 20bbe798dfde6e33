#pragma once

#include "mappings/family.h"
#include "mappings/root_search.h"

namespace zeta::rowwise::cuda {

// Whether a mapping's threshold follows from one sum of terms, and its slope is 1 on the support.
// For others there are the kernels of few non-zeros (is_for_every_mapping in forward/plan.cpp) and
// passes.
template <class Mapping>
inline constexpr bool kIsBySums = !mappings::kHasSearch<Mapping> && Mapping::Slope::kIsConstant;

namespace detail {

struct IsBySums {
  template <template <class> class MappingOf>
  constexpr bool operator()() const {
    return kIsBySums<MappingOf<float>>;
  }
};

}  // namespace detail

// The same of an alpha.
inline bool is_by_sums(double alpha) { return mappings::with_mapping(alpha, detail::IsBySums()); }

}  // namespace zeta::rowwise::cuda
