#pragma once

#include "mappings/entmax.h"
#include "mappings/entmax15.h"
#include "mappings/softmax.h"
#include "mappings/sparse_softmax.h"

namespace zeta::mappings {

// Calls visit.operator()<MappingOf>() with the mapping for alpha, and returns what that returns.
template <class Visit>
auto with_mapping(double alpha, Visit const& visit) {
  if (alpha == 2) return visit.template operator()<SparseSoftmax>();
  if (alpha == 1.5) return visit.template operator()<Entmax15>();
  if (alpha == 1) return visit.template operator()<Softmax>();
  return visit.template operator()<Entmax>();
}

}  // namespace zeta::mappings
