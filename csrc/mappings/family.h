#pragma once

#include "mappings/entmax.h"
#include "mappings/entmax15.h"
#include "mappings/host_device.h"
#include "mappings/softmax.h"
#include "mappings/sparse_softmax.h"

namespace zeta::mappings {

// Between 1 and this, the derivative with respect to alpha would have lost all digits in float32.
// It is the float, since a tensor of floats may hold it.
inline constexpr double kLeastAlphaAbove1 = 1.01F;

// Whether the family has a member for alpha.
ZETA_HOST_DEVICE constexpr bool is_in_family(double alpha) {
  return alpha == 1 || (kLeastAlphaAbove1 <= alpha && alpha <= 2);
}

// Calls visit.operator()<MappingOf>() with the mapping for alpha, and returns what that returns.
// The visitor may be for the host alone.
#ifdef __CUDACC__
#pragma nv_exec_check_disable
#endif
template <class Visit>
ZETA_HOST_DEVICE auto with_mapping(double alpha, Visit const& visit) {
  if (alpha == 2) return visit.template operator()<SparseSoftmax>();
  if (alpha == 1.5) return visit.template operator()<Entmax15>();
  if (alpha == 1) return visit.template operator()<Softmax>();
  return visit.template operator()<Entmax>();
}

}  // namespace zeta::mappings
