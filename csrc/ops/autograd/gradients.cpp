#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>

#include <string>
#include <tuple>
#include <utility>

#include "ops/autograd/alphas.h"
#include "ops/autograd/gradient_node.h"
#include "ops/autograd/slopes.h"
#include "ops/autograd/tangent.h"
#include "ops/family.h"
#include "ops/member_operator.h"
#include "ops/registration.h"
#include "ops/row_arguments.h"
#include "ops/support.h"

namespace zeta::ops {

// What a backward may read of a forward. The next types are in no unnamed namespace, since graphs
// of compiled autograd show their names.

// The output.
struct SavedOutput {
  static at::Tensor backward(at::Tensor const& grad, at::TensorList saved,
                             GradientArguments const& arguments) {
    return family::backward(grad, saved[0], arguments.alpha, arguments.dim, arguments.result_dtype,
                            arguments.length);
  }
};

// The support, which the output follows if slopes vary.
struct SavedSupport {
  static at::Tensor backward(at::Tensor const& grad, at::TensorList saved,
                             GradientArguments const& arguments) {
    auto const output = saved.size() > 1 ? std::optional(saved[1]) : std::nullopt;
    return family::support_backward(grad, saved[0], output, arguments.alpha, arguments.dim,
                                    arguments.result_dtype);
  }
};

template <class Saved>
struct ForwardNode {
  static std::string node_name(double alpha) { return class_name(alpha) + "Backward"; }
  static void backward(at::Tensor const& grad, at::TensorList saved,
                       GradientArguments const& arguments, variable_list& results) {
    results[0] = Saved::backward(grad, saved, arguments);
  }
};

// The derivative of the backward. The backward is linear in grad_output and symmetric on the
// support, so it is its own derivative. If slopes are constant, it depends on nothing else.
template <class Saved>
struct BackwardNode {
  static std::string node_name(double alpha) { return class_name(alpha) + "BackwardBackward"; }
  static void backward(at::Tensor const& grad, at::TensorList saved,
                       GradientArguments const& arguments, variable_list& results) {
    results[0] = Saved::backward(grad, saved, arguments);
  }
};

// Otherwise it depends on the weights, too. Whatever the backward has read, the output is saved,
// and grad_output after it.
struct VaryingBackwardNode : BackwardNode<SavedOutput> {
  static void backward(at::Tensor const& grad, at::TensorList saved,
                       GradientArguments const& arguments, variable_list& results) {
    auto const& [alpha, dim, grad_dtype, result_dtype, length] = arguments;
    BackwardNode<SavedOutput>::backward(grad, saved, arguments, results);
    results[1] = VaryingSlopes(saved[1], saved[0], alpha, dim).gradient(grad).to(grad_dtype);
  }
};

namespace {

using family::has_constant_slopes;

// Whether the backward reads the support instead of the output. Only the arguments decide:
// activation checkpointing repeats the call to recompute what the backward needs, perhaps under
// other modes, and has to get the same tensors. A row length or k that a trace leaves unknown means
// no, as do slopes that vary on CUDA, which has no kernel for them.
bool hands_over_support(at::Tensor const& z, Call const& call) {
  if (!has_constant_slopes(call.alpha) && z.is_cuda()) return false;
  bool const is_strided_nested = z.is_nested() && z.layout() == at::kStrided;  // it has no sizes
  bool const is_right = !is_strided_nested && -z.dim() <= call.dim && call.dim < z.dim() &&
                        is_supported(call.dtype.value_or(z.scalar_type()));
  if (!is_right) return false;
  auto const length = z.sym_size(call.dim).maybe_as_int();
  auto const k = call.k.maybe_as_int();
  return length.has_value() && k.has_value() && support_pays(*length, *k);
}

// Tells autograd, in reverse and forward mode, how the output of a forward derives from z. With
// `length`, both hold only some entries of rows of that length.
template <class Saved>
void set_derivatives(at::Tensor const& output, at::TensorList saved, at::Tensor const& z,
                     double alpha, int64_t dim, std::optional<c10::SymInt> length = std::nullopt) {
  auto const dtype = output.scalar_type();
  GradientArguments arguments = {alpha, dim, dtype, z.scalar_type(), std::move(length)};
  GradientNodePointer<ForwardNode<Saved>> node;
  if (torch::autograd::compute_requires_grad(z)) {
    node = set_gradient<ForwardNode<Saved>>(output, arguments, z);
  }
  arguments.result_dtype = dtype;
  set_tangent(output, z, [&](at::Tensor const& tangent) {
    return Saved::backward(tangent.to(dtype), saved, arguments);
  });
  if (node) save(node, output, saved);
}

at::Tensor forward(MemberOperator const& member, at::Tensor const& z, Call const& call) {
  auto const& [alpha, k, dim, mask, dtype] = call;
  if (torch::autograd::compute_requires_grad(z) && hands_over_support(z, call)) {
    return std::get<0>(family::forward_with_support(z, alpha, k, dim, optional_of(mask), dtype));
  }
  at::Tensor output;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    output = member.forward(z, call);
  }
  set_derivatives<SavedOutput>(output, output, z, alpha, dim);
  return output;
}

at::Tensor forward_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                             std::optional<c10::SymInt> k, int64_t dim,
                             std::optional<at::Tensor> const& mask,
                             std::optional<at::ScalarType> dtype) {
  at::Tensor output;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    output = family::forward_of_alphas(z, alpha, std::move(k), dim, mask, dtype);
  }
  set_derivatives_of_alphas(output, z, alpha, dim);
  return output;
}

// The values of the compact form derive from these entries of z, and these from z as torch.gather's
// result does.
at::Tensor chosen_entries(at::Tensor const& z, at::Tensor const& indices, int64_t dim) {
  return z.gather(dim, indices.clamp_min(0));
}

Compact compact(MemberOperator const& member, at::Tensor const& z, Call const& call) {
  Compact result;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    result = member.compact(z, call);
  }
  if (!torch::autograd::compute_requires_grad(z) && !has_tangent(z)) return result;
  auto const& [values, indices] = result;
  at::Tensor const chosen = chosen_entries(z, indices, call.dim);
  auto const length = z.dim() == 0 ? c10::SymInt(1) : z.sym_size(call.dim).max(1);
  set_derivatives<SavedOutput>(values, values, chosen, call.alpha, call.dim, length);
  return result;
}

Compact compact_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                          std::optional<c10::SymInt> k, int64_t dim,
                          std::optional<at::Tensor> const& mask,
                          std::optional<at::ScalarType> dtype) {
  Compact result;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    result = family::compact_of_alphas(z, alpha, std::move(k), dim, mask, dtype);
  }
  bool const is_constant =
      !torch::autograd::compute_requires_grad(z, alpha) && !has_tangent(z) && !has_tangent(alpha);
  if (is_constant) return result;
  auto const& [values, indices] = result;
  set_derivatives_of_alphas(values, chosen_entries(z, indices, dim), alpha, dim);
  return result;
}

std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, double alpha,
                                                        c10::SymInt k, int64_t dim,
                                                        std::optional<at::Tensor> const& mask,
                                                        std::optional<at::ScalarType> dtype) {
  std::tuple<at::Tensor, at::Tensor> results;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    results = family::forward_with_support(z, alpha, std::move(k), dim, mask, dtype);
  }
  auto const& [output, support] = results;
  variable_list const saved =
      has_constant_slopes(alpha) ? variable_list{support} : variable_list{support, output};
  set_derivatives<SavedSupport>(output, saved, z, alpha, dim);
  return results;
}

// Sets the tangent of a backward's result where slopes vary: it has parts of those of the gradient
// and of the weights.
void set_varying_tangent(at::Tensor const& grad_input, at::Tensor const& grad_output,
                         at::Tensor const& output, GradientArguments const& arguments) {
  auto const& [alpha, dim, grad_dtype, result_dtype, length] = arguments;
  if (!has_tangent(grad_output) && !has_tangent(output)) return;
  at::Tensor const weights = output._fw_primal(kLevel);  // without their tangent
  at::Tensor tangent;
  if (has_tangent(grad_output)) {
    tangent = SavedOutput::backward(grad_output._fw_grad(kLevel), weights, arguments);
  }
  if (has_tangent(output)) {
    at::Tensor const grad = grad_output._fw_primal(kLevel);
    at::Tensor const varying =
        VaryingSlopes(grad, weights, alpha, dim).tangent(output._fw_grad(kLevel)).to(result_dtype);
    tangent = tangent.defined() ? tangent + varying : varying;
  }
  grad_input._set_fw_grad(tangent, kLevel, /*is_inplace_op=*/false);
}

// Tells autograd how the result of a backward derives from grad_output, and where slopes vary from
// the weights. `saved` is what it has read.
template <class Saved>
void set_derivatives_of_backward(at::Tensor const& grad_input, at::Tensor const& grad_output,
                                 at::TensorList saved, at::Tensor const& output,
                                 GradientArguments arguments) {
  auto const input_dtype = std::exchange(arguments.result_dtype, arguments.grad_dtype);
  if (has_constant_slopes(arguments.alpha)) {
    if (torch::autograd::compute_requires_grad(grad_output)) {
      auto const node =
          set_gradient<BackwardNode<Saved>>(grad_input, arguments, grad_output, saved[0]);
      save(node, grad_input, saved);
    }
    arguments.result_dtype = input_dtype;
    set_tangent(grad_input, grad_output, [&](at::Tensor const& tangent) {
      return Saved::backward(tangent, saved, arguments);
    });
    return;
  }
  if (torch::autograd::compute_requires_grad(grad_output, output)) {
    auto const node = set_gradient<VaryingBackwardNode>(grad_input, arguments, grad_output, output);
    save(node, grad_input, {output, grad_output});
  }
  arguments.result_dtype = input_dtype;
  set_varying_tangent(grad_input, grad_output, output, arguments);
}

at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support,
                            std::optional<at::Tensor> const& output, double alpha, int64_t dim,
                            at::ScalarType input_dtype) {
  at::Tensor grad_input;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    grad_input = family::support_backward(grad_output, support, output, alpha, dim, input_dtype);
  }
  set_derivatives_of_backward<SavedSupport>(
      grad_input, grad_output, support, output.value_or(at::Tensor()),
      {alpha, dim, grad_output.scalar_type(), input_dtype, std::nullopt});
  return grad_input;
}

at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                    int64_t dim, at::ScalarType input_dtype, std::optional<c10::SymInt> length) {
  at::Tensor grad_input;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    grad_input = family::backward(grad_output, output, alpha, dim, input_dtype, length);
  }
  set_derivatives_of_backward<SavedOutput>(
      grad_input, grad_output, output, output,
      {alpha, dim, grad_output.scalar_type(), input_dtype, std::move(length)});
  return grad_input;
}

at::Tensor of_candidates(at::Tensor const& candidates, double alpha, c10::SymInt k, int64_t dim,
                         c10::SymInt length) {
  at::Tensor weights;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    weights = family::of_candidates(candidates, alpha, std::move(k), dim, length);
  }
  set_derivatives<SavedOutput>(weights, weights, candidates, alpha, dim, std::move(length));
  return weights;
}

at::Tensor candidates_of_alphas(at::Tensor const& candidates, at::Tensor const& alpha,
                                c10::SymInt k, int64_t dim, c10::SymInt length) {
  at::Tensor weights;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    weights = family::of_candidates(candidates, alpha, std::move(k), dim, std::move(length));
  }
  set_derivatives_of_alphas(weights, candidates, alpha, dim);
  return weights;
}

// Refuses tensors of an out= form, `out` among them, that have or ask for derivatives.
template <class... Tensors>
void check_no_derivatives(char const* name, Tensors const&... tensors) {
  if (torch::autograd::compute_requires_grad(tensors...)) {
    torch::autograd::throw_error_out_requires_grad(name);
  }
  TORCH_CHECK((!has_tangent(tensors) && ...), name,
              "(): functions with out=... arguments don't support forward-mode differentiation, "
              "but one of the arguments has a tangent.");
}

at::Tensor& forward_out(MemberOperator const& member, at::Tensor const& z, Call const& call,
                        at::Tensor& out) {
  check_no_derivatives(member.name, z, out);
  at::AutoDispatchBelowAutograd const below_autograd;
  return member.forward_out(z, call, out);
}

at::Tensor& forward_of_alphas_out(at::Tensor const& z, at::Tensor const& alpha,
                                  std::optional<c10::SymInt> k, int64_t dim,
                                  std::optional<at::Tensor> const& mask,
                                  std::optional<at::ScalarType> dtype, at::Tensor& out) {
  check_no_derivatives(members::Entmax::kName, z, alpha, out);
  at::AutoDispatchBelowAutograd const below_autograd;
  return family::forward_of_alphas_out(z, alpha, std::move(k), dim, mask, dtype, out);
}

}  // namespace

ZETA_LIBRARY_IMPL(Autograd, library) {
  for_each_member([&]<class Member>() {
    using Calls = MemberCalls<Member>;
    library.impl(Member::kName, &Calls::template kernel<&forward>);
    library.impl(out_name<Member>().c_str(), &Calls::template out_kernel<&forward_out>);
    library.impl(compact_name<Member>().c_str(), &Calls::template kernel<&compact>);
  });
  library.impl(family::kOfAlphasName, &forward_of_alphas);
  library.impl(family::kOfAlphasOutName, &forward_of_alphas_out);
  library.impl(family::kOfAlphasCompactName, &compact_of_alphas);
  library.impl(family::kBackwardName, &backward);
  library.impl(family::kWithSupportName, &forward_with_support);
  library.impl(family::kSupportBackwardName, &support_backward);
  library.impl(family::kOfCandidatesName, &of_candidates);
  library.impl(family::kCandidatesOfAlphasName, &candidates_of_alphas);
  // It returns integers.
  library.impl(family::kLargestName, torch::autograd::autogradNotImplementedFallback());
}

ZETA_LIBRARY_IMPL(ADInplaceOrView, library) {
  // Increments the version counter of `out`.
  auto const register_counting = [&](char const* name) {
    library.impl(name, torch::autograd::autogradNotImplementedInplaceOrViewFallback());
  };
  for_each_member([&]<class Member>() { register_counting(out_name<Member>().c_str()); });
  register_counting(family::kOfAlphasOutName);
}

}  // namespace zeta::ops
