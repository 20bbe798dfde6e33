#pragma once

#include <cstdint>

#include "rowwise/float16.h"
#include "rowwise/mask.h"
#include "rowwise/parallel.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu {

// The kernels of one mapping for one instruction set.
template <class Scalar>
struct Kernels {
  void (*forward)(double alpha, RowGeometry<2> const& geometry, Scalar* weights,
                  Scalar const* logits, int64_t k, int64_t first_row, int64_t last_row);
  void (*forward_split)(double alpha, Scalar* weights, Scalar const* logits, int64_t length,
                        int64_t k, int64_t parts, Parallel parallel);
  // The support may be null.
  void (*forward_masked)(double alpha, RowGeometry<4> const& geometry, Scalar* weights,
                         Scalar const* logits, int32_t* support, MaskEntry const* mask, int64_t k,
                         int64_t first_row, int64_t last_row);
  void (*forward_split_masked)(double alpha, Scalar* weights, Scalar const* logits,
                               MaskEntry const* mask, int64_t mask_stride, int64_t length,
                               int64_t k, int64_t parts, Parallel parallel);
  void (*forward_with_support)(double alpha, RowGeometry<3> const& geometry, Scalar* weights,
                               Scalar const* logits, int32_t* support, int64_t k, int64_t first_row,
                               int64_t last_row);
  void (*forward_compact)(double alpha, RowGeometry<3> const& geometry, Scalar* values,
                          Scalar const* logits, int64_t* indices, int64_t k, int64_t first_row,
                          int64_t last_row);
  void (*forward_compact_masked)(double alpha, RowGeometry<4> const& geometry, Scalar* values,
                                 Scalar const* logits, int64_t* indices, MaskEntry const* mask,
                                 int64_t k, int64_t first_row, int64_t last_row);
  void (*backward)(double alpha, RowGeometry<3> const& geometry, Scalar* grad_logits,
                   Scalar const* grad_weights, Scalar const* weights, int64_t first_row,
                   int64_t last_row);
  // Reads no weights if the mapping's slope is constant.
  void (*support_backward)(double alpha, RowGeometry<4> const& geometry, Scalar* grad_logits,
                           Scalar const* grad_weights, Scalar const* weights,
                           int32_t const* support, int64_t capacity, int64_t first_row,
                           int64_t last_row);
};

// The kernels for each instruction set, whether or not this machine has it.
namespace baseline {
template <template <class> class MappingOf, class Scalar>
Kernels<Scalar> mapping_kernels();
}
#ifdef __x86_64__
namespace avx2 {
template <template <class> class MappingOf, class Scalar>
Kernels<Scalar> mapping_kernels();
}
namespace avx512 {
template <template <class> class MappingOf, class Scalar>
Kernels<Scalar> mapping_kernels();
}
#endif

}  // namespace zeta::rowwise::cpu
