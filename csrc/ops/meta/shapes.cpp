#include <ATen/native/Resize.h>
#include <ATen/ops/empty_like.h>

#include <tuple>

#include "ops/family.h"
#include "ops/member_operator.h"
#include "ops/registration.h"
#include "ops/results.h"
#include "ops/row_arguments.h"

namespace zeta::ops {
namespace {

at::Tensor forward(MemberOperator const& member, at::Tensor const& z, Call const& call) {
  auto const arguments = check_forward(member.name, z, call);
  return at::empty_like(z, z.options().dtype(arguments.dtype));
}

at::Tensor& forward_out(MemberOperator const& member, at::Tensor const& z, Call const& call,
                        at::Tensor& out) {
  check_forward_out(member.name, z, call, out);
  at::native::resize_output_symint(out, z.sym_sizes());
  return out;
}

at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                    int64_t dim, at::ScalarType input_dtype) {
  check_backward(family::kBackwardName, grad_output, output, alpha, dim, input_dtype);
  return at::empty_like(output, output.options().dtype(input_dtype));
}

std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, double alpha,
                                                        c10::SymInt k, int64_t dim,
                                                        std::optional<at::ScalarType> dtype) {
  auto const arguments =
      check_forward_with_support(family::kWithSupportName, z, {alpha, k, dim, dtype});
  return {at::empty_like(z, z.options().dtype(arguments.dtype)),
          empty_support(z, k, arguments.dim)};
}

at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support, double alpha,
                            int64_t dim, at::ScalarType input_dtype) {
  check_support_backward(family::kSupportBackwardName, grad_output, support, alpha, dim,
                         input_dtype);
  return at::empty_like(grad_output, grad_output.options().dtype(input_dtype));
}

at::Tensor of_candidates(at::Tensor const& candidates, double alpha, c10::SymInt k, int64_t dim,
                         c10::SymInt length) {
  check_of_candidates(family::kOfCandidatesName, candidates, {alpha, k, dim, std::nullopt}, length);
  return at::empty_like(candidates);
}

at::Tensor of_candidates_backward(at::Tensor const& grad_output, at::Tensor const& output,
                                  double alpha, int64_t dim, c10::SymInt) {
  check_backward(family::kOfCandidatesBackwardName, grad_output, output, alpha, dim,
                 output.scalar_type());
  return at::empty_like(output);
}

at::Tensor largest(at::Tensor const& z, c10::SymInt k, int64_t dim) {
  return empty_largest(z, k, check_largest(family::kLargestName, z, k, dim));
}

}  // namespace

ZETA_LIBRARY_IMPL(Meta, library) {
  for_each_member([&]<class Member>() {
    using Calls = MemberCalls<Member>;
    library.impl(Member::kName, &Calls::template kernel<&forward>);
    library.impl(out_name<Member>().c_str(), &Calls::template out_kernel<&forward_out>);
  });
  library.impl(family::kBackwardName, &backward);
  library.impl(family::kWithSupportName, &forward_with_support);
  library.impl(family::kSupportBackwardName, &support_backward);
  library.impl(family::kOfCandidatesName, &of_candidates);
  library.impl(family::kOfCandidatesBackwardName, &of_candidates_backward);
  library.impl(family::kLargestName, &largest);
}

}  // namespace zeta::ops
