#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>

#include <string>
#include <tuple>
#include <utility>

#include "ops/autograd/gradient_node.h"
#include "ops/autograd/tangent.h"
#include "ops/family.h"
#include "ops/member_operator.h"
#include "ops/registration.h"
#include "ops/row_arguments.h"
#include "ops/support.h"

namespace zeta::ops {

// What a backward may read: the output of the forward, or the support. The next types are in no
// unnamed namespace, since graphs of compiled autograd show their names.
struct SavedOutput {
  static constexpr auto* backward = &family::backward;
};
struct SavedSupport {
  static constexpr auto* backward = &family::support_backward;
};

template <class Saved>
struct ForwardNode : Saved {
  static std::string node_name(double alpha) { return class_name(alpha) + "Backward"; }
};

// The derivative of the backward. The backward is linear in grad_output and symmetric on the
// support, so it is its own derivative. It has none with respect to what is saved, of which it uses
// only the support.
template <class Saved>
struct BackwardNode : Saved {
  static std::string node_name(double alpha) { return class_name(alpha) + "BackwardBackward"; }
};

namespace {

// Whether the backward reads the support instead of the output. Only the arguments decide:
// activation checkpointing repeats the call to recompute what the backward needs, perhaps under
// other modes, and has to get the same tensors. A row length or k that a trace leaves unknown means
// no. A slope that varies over the support, as that of every alpha but 2, needs the output.
bool hands_over_support(at::Tensor const& z, Call const& call) {
  if (call.alpha != 2) return false;
  bool const is_strided_nested = z.is_nested() && z.layout() == at::kStrided;  // it has no sizes
  bool const is_right = !is_strided_nested && -z.dim() <= call.dim && call.dim < z.dim() &&
                        is_supported(call.dtype.value_or(z.scalar_type()));
  if (!is_right) return false;
  auto const length = z.sym_size(call.dim).maybe_as_int();
  auto const k = call.k.maybe_as_int();
  return length.has_value() && k.has_value() && support_pays(*length, *k);
}

// Tells autograd, in reverse and forward mode, how the output of a forward derives from z.
template <class Saved>
void set_derivatives(at::Tensor const& output, at::Tensor const& saved, at::Tensor const& z,
                     double alpha, int64_t dim) {
  auto const dtype = output.scalar_type();
  if (torch::autograd::compute_requires_grad(z)) {
    set_gradient<ForwardNode<Saved>>(output, saved, {alpha, dim, dtype, z.scalar_type()}, z);
  }
  set_tangent(output, z, [&](at::Tensor const& tangent) {
    return Saved::backward(tangent.to(dtype), saved, alpha, dim, dtype);
  });
}

at::Tensor forward(MemberOperator const& member, at::Tensor const& z, Call const& call) {
  auto const& [alpha, k, dim, dtype] = call;
  if (torch::autograd::compute_requires_grad(z) && hands_over_support(z, call)) {
    return std::get<0>(family::forward_with_support(z, alpha, k, dim, dtype));
  }
  at::Tensor output;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    output = member.forward(z, call);
  }
  set_derivatives<SavedOutput>(output, output, z, alpha, dim);
  return output;
}

std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, double alpha,
                                                        c10::SymInt k, int64_t dim,
                                                        std::optional<at::ScalarType> dtype) {
  std::tuple<at::Tensor, at::Tensor> results;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    results = family::forward_with_support(z, alpha, std::move(k), dim, dtype);
  }
  auto const& [output, support] = results;
  set_derivatives<SavedSupport>(output, support, z, alpha, dim);
  return results;
}

template <class Saved>
at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& saved, double alpha,
                    int64_t dim, at::ScalarType input_dtype) {
  at::Tensor grad_input;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    grad_input = Saved::backward(grad_output, saved, alpha, dim, input_dtype);
  }
  if (torch::autograd::compute_requires_grad(grad_output)) {
    auto const dtype = grad_output.scalar_type();
    set_gradient<BackwardNode<Saved>>(grad_input, saved, {alpha, dim, dtype, dtype}, grad_output,
                                      saved);
  }
  set_tangent(grad_input, grad_output, [&](at::Tensor const& tangent) {
    return Saved::backward(tangent, saved, alpha, dim, input_dtype);
  });
  return grad_input;
}

at::Tensor& forward_out(MemberOperator const& member, at::Tensor const& z, Call const& call,
                        at::Tensor& out) {
  if (torch::autograd::compute_requires_grad(z, out)) {
    torch::autograd::throw_error_out_requires_grad(member.name);
  }
  TORCH_CHECK(!has_tangent(z) && !has_tangent(out), member.name,
              "(): functions with out=... arguments don't support forward-mode differentiation, "
              "but one of the arguments has a tangent.");
  at::AutoDispatchBelowAutograd const below_autograd;
  return member.forward_out(z, call, out);
}

}  // namespace

ZETA_LIBRARY_IMPL(Autograd, library) {
  for_each_member([&]<class Member>() {
    using Calls = MemberCalls<Member>;
    library.impl(Member::kName, &Calls::template kernel<&forward>);
    library.impl(out_name<Member>().c_str(), &Calls::template out_kernel<&forward_out>);
  });
  library.impl(family::kBackwardName, &backward<SavedOutput>);
  library.impl(family::kWithSupportName, &forward_with_support);
  library.impl(family::kSupportBackwardName, &backward<SavedSupport>);
  // The gradient of the first two is in zeta.distributed. The last returns integers.
  for (char const* name :
       {family::kOfCandidatesName, family::kOfCandidatesBackwardName, family::kLargestName}) {
    library.impl(name, torch::autograd::autogradNotImplementedFallback());
  }
}

ZETA_LIBRARY_IMPL(ADInplaceOrView, library) {
  for_each_member([&]<class Member>() {
    // Increments the version counter of `out`.
    library.impl(out_name<Member>().c_str(),
                 torch::autograd::autogradNotImplementedInplaceOrViewFallback());
  });
}

}  // namespace zeta::ops
