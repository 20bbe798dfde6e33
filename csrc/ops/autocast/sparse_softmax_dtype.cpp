#include <ATen/autocast_mode.h>
#include <torch/library.h>

#include "ops/second_copy.h"
#include "ops/sparse_softmax.h"

namespace zeta::ops::sparse_softmax {

// The rule is that of torch.softmax: on CUDA the logits are converted to float32 unless dtype says
// otherwise. On the CPU autocast leaves torch.softmax alone, so there is no rule here.
TORCH_LIBRARY_IMPL(zeta, AutocastCUDA, library) {
  if (is_second_copy()) return;
  using at::autocast::CastPolicy;
  using at::autocast::WrapFunction;
  library.impl("sparse_softmax",
               &WrapFunction<CastPolicy::fp32_set_opt_dtype, c10::DeviceType::CUDA,
                             ForwardSignature, ForwardSignature, &forward>::type::call);
}

}  // namespace zeta::ops::sparse_softmax
