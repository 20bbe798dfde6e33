// Batching rules: a vmapped operator is the operator over one more dimension.
#include <ATen/functorch/BatchedTensorImpl.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <optional>
#include <tuple>
#include <utility>

#include "ops/family.h"
#include "ops/member_operator.h"
#include "ops/registration.h"
#include "ops/row_arguments.h"

namespace zeta::ops {
namespace {

namespace functorch = at::functorch;

// The innermost vmap that batches one of a rule's tensors. While a Level exists, the operators that
// the rule calls are not batched by it. (The header that tells the innermost vmap of all includes
// one that torch does not install.)
class Level {
 public:
  Level(std::initializer_list<std::reference_wrapper<at::Tensor const>> tensors) {
    for (at::Tensor const& tensor : tensors) {
      auto const* const batched = functorch::maybeGetBatchedImpl(tensor);
      if (batched != nullptr) number_ = std::max(number_, batched->level());
    }
  }

  // Returns the tensor of all samples and the dimension that counts them, or the tensor alone if
  // this vmap does not batch it.
  std::pair<at::Tensor, std::optional<int64_t>> unwrapped(at::Tensor const& tensor) const {
    auto const* const batched = functorch::maybeGetBatchedImpl(tensor);
    if (batched == nullptr || batched->level() != number_) return {tensor, std::nullopt};
    return {batched->value(), batched->bdim()};
  }

  at::Tensor wrapped(at::Tensor const& tensor, int64_t batch_dim) const {
    return functorch::makeBatched(tensor, batch_dim, number_);
  }

 private:
  c10::impl::ExcludeDispatchKeyGuard guard_{c10::DispatchKey::FuncTorchBatched};
  int64_t number_ = -1;
};

// Holds a tensor of samples, the dimension that counts them, and the dimension of the rows. A
// sample without a dimension is a row of one entry.
struct Samples {
  at::Tensor rows;
  int64_t batch_dim;
  int64_t row_dim;

  // `dim` is the dimension of the rows within a sample.
  Samples(char const* name, at::Tensor const& tensor, int64_t batch_dim, int64_t dim)
      : rows(tensor.dim() == 1 ? tensor.unsqueeze(-1) : tensor), batch_dim(batch_dim) {
    row_dim = check_dim(name, tensor.dim() - 1, dim);
    if (row_dim >= batch_dim) ++row_dim;
  }
};

at::Tensor forward(MemberOperator const& member, at::Tensor const& z, Call call) {
  Level const level({z});
  auto const [value, batch_dim] = level.unwrapped(z);
  if (!batch_dim.has_value()) return member.forward(value, call);
  Samples const samples(member.name, value, *batch_dim, call.dim);
  call.dim = samples.row_dim;
  at::Tensor const output = member.forward(samples.rows, call);
  return level.wrapped(output.view_as(value), *batch_dim);
}

Compact compact(MemberOperator const& member, at::Tensor const& z, Call call) {
  Level const level({z});
  auto const [value, batch_dim] = level.unwrapped(z);
  if (!batch_dim.has_value()) return member.compact(value, call);
  Samples const samples(member.name, value, *batch_dim, call.dim);
  call.dim = samples.row_dim;
  auto [values, indices] = member.compact(samples.rows, call);
  if (value.dim() == 1) {  // samples without a dimension have results without one
    values = values.squeeze(-1);
    indices = indices.squeeze(-1);
  }
  return {level.wrapped(values, *batch_dim), level.wrapped(indices, *batch_dim)};
}

std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, double alpha,
                                                        c10::SymInt k, int64_t dim,
                                                        std::optional<at::ScalarType> dtype) {
  Level const level({z});
  auto const [value, batch_dim] = level.unwrapped(z);
  if (!batch_dim.has_value()) {
    return family::forward_with_support(value, alpha, std::move(k), dim, dtype);
  }
  Samples const samples(family::kWithSupportName, value, *batch_dim, dim);
  auto const [output, support] =
      family::forward_with_support(samples.rows, alpha, std::move(k), samples.row_dim, dtype);
  return {level.wrapped(output.view_as(value), *batch_dim), level.wrapped(support, *batch_dim)};
}

// `saved` is what the backward reads, the output or the support; backward(grad, saved, dim) calls
// it.
template <class Backward>
at::Tensor backward_of_samples(char const* name, at::Tensor const& grad_output,
                               at::Tensor const& saved, int64_t dim, Backward const& backward) {
  Level const level({grad_output, saved});
  auto [grad, grad_dim] = level.unwrapped(grad_output);
  auto [other, other_dim] = level.unwrapped(saved);
  if (!grad_dim.has_value() && !other_dim.has_value()) return backward(grad, other, dim);
  auto const count = grad_dim ? grad.sym_size(*grad_dim) : other.sym_size(*other_dim);
  auto const samples_first = [&](at::Tensor const& tensor, std::optional<int64_t> batch_dim) {
    if (batch_dim.has_value()) return tensor.movedim(*batch_dim, 0);
    auto sizes = tensor.sym_sizes().vec();
    sizes.insert(sizes.begin(), count);
    return tensor.unsqueeze(0).expand_symint(sizes);
  };
  grad = samples_first(grad, grad_dim);
  Samples const grads(name, grad, 0, dim);
  Samples const others(name, samples_first(other, other_dim), 0, dim);
  return level.wrapped(backward(grads.rows, others.rows, grads.row_dim).view_as(grad), 0);
}

at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                    int64_t dim, at::ScalarType input_dtype, std::optional<c10::SymInt> length) {
  return backward_of_samples(family::kBackwardName, grad_output, output, dim,
                             [&](auto const& grads, auto const& outputs, int64_t row_dim) {
                               return family::backward(grads, outputs, alpha, row_dim, input_dtype,
                                                       length);
                             });
}

at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support, double alpha,
                            int64_t dim, at::ScalarType input_dtype) {
  return backward_of_samples(family::kSupportBackwardName, grad_output, support, dim,
                             [&](auto const& grads, auto const& supports, int64_t row_dim) {
                               return family::support_backward(grads, supports, alpha, row_dim,
                                                               input_dtype);
                             });
}

}  // namespace

ZETA_LIBRARY_IMPL(FuncTorchBatched, library) {
  for_each_member([&]<class Member>() {
    using Calls = MemberCalls<Member>;
    library.impl(Member::kName, &Calls::template kernel<&forward>);
    library.impl(compact_name<Member>().c_str(), &Calls::template compact_kernel<&compact>);
  });
  library.impl(family::kBackwardName, &backward);
  library.impl(family::kWithSupportName, &forward_with_support);
  library.impl(family::kSupportBackwardName, &support_backward);
}

}  // namespace zeta::ops
