#pragma once

#include "rowwise/cpu/backward/from_support.h"
#include "rowwise/cpu/backward/from_weights.h"
#include "rowwise/cpu/forward/any_strides.h"
#include "rowwise/cpu/forward/compact.h"
#include "rowwise/cpu/forward/masked.h"
#include "rowwise/cpu/forward/split_row.h"
#include "rowwise/cpu/forward/with_support.h"
#include "rowwise/cpu/kernels.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template <template <class> class MappingOf, class Scalar>
Kernels<Scalar> mapping_kernels() {
  return {forward<MappingOf, Scalar>,
          forward_split<MappingOf, Scalar>,
          forward_masked<MappingOf, Scalar>,
          forward_split_masked<MappingOf, Scalar>,
          forward_with_support<MappingOf, Scalar>,
          forward_compact<MappingOf, Scalar>,
          forward_compact_masked<MappingOf, Scalar>,
          backward<MappingOf, Scalar>,
          support_backward<MappingOf, Scalar>};
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
