#include <c10/util/Exception.h>
#include <torch/library.h>

#include "ops/largest.h"
#include "ops/second_copy.h"
#include "ops/sparse_softmax.h"

namespace zeta::ops::sparse_softmax {
namespace {

[[noreturn]] void throw_built_without_cuda(char const* name) {
  TORCH_CHECK(false, name,
              ": got a CUDA tensor, but this zeta was built without CUDA; build it again with "
              "ZETA_CUDA=ON, which needs an nvcc of torch's CUDA version");
}

at::Tensor forward_cuda(at::Tensor const&, int64_t, int64_t, std::optional<at::ScalarType>) {
  throw_built_without_cuda(kName);
}

at::Tensor& forward_out_cuda(at::Tensor const&, int64_t, int64_t, std::optional<at::ScalarType>,
                             at::Tensor&) {
  throw_built_without_cuda(kName);
}

at::Tensor backward_cuda(at::Tensor const&, at::Tensor const&, int64_t, at::ScalarType) {
  throw_built_without_cuda(kBackwardName);
}

std::tuple<at::Tensor, at::Tensor> forward_with_support_cuda(at::Tensor const&, int64_t, int64_t,
                                                             std::optional<at::ScalarType>) {
  throw_built_without_cuda(kWithSupportName);
}

at::Tensor support_backward_cuda(at::Tensor const&, at::Tensor const&, int64_t, at::ScalarType) {
  throw_built_without_cuda(kSupportBackwardName);
}

at::Tensor of_candidates_cuda(at::Tensor const&, int64_t, int64_t, int64_t) {
  throw_built_without_cuda(kOfCandidatesName);
}

at::Tensor of_candidates_backward_cuda(at::Tensor const&, at::Tensor const&, int64_t, int64_t) {
  throw_built_without_cuda(kOfCandidatesBackwardName);
}

at::Tensor largest_cuda(at::Tensor const&, int64_t, int64_t) {
  throw_built_without_cuda(largest::kName);
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, CUDA, library) {
  if (is_second_copy()) return;
  library.impl("sparse_softmax", &forward_cuda);
  library.impl("sparse_softmax.out", &forward_out_cuda);
  library.impl("_sparse_softmax_backward", &backward_cuda);
  library.impl("_sparse_softmax_with_support", &forward_with_support_cuda);
  library.impl("_sparse_softmax_support_backward", &support_backward_cuda);
  library.impl("_sparse_softmax_of_candidates", &of_candidates_cuda);
  library.impl("_sparse_softmax_of_candidates_backward", &of_candidates_backward_cuda);
  library.impl("_largest", &largest_cuda);
}

}  // namespace zeta::ops::sparse_softmax
