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

// `saved` is what the backward reads, the output or the support.
template <auto Backward, char const* const& Name>
at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& saved, double alpha,
                    int64_t dim, at::ScalarType input_dtype) {
  Level const level({grad_output, saved});
  auto [grad, grad_dim] = level.unwrapped(grad_output);
  auto [other, other_dim] = level.unwrapped(saved);
  if (!grad_dim.has_value() && !other_dim.has_value()) {
    return Backward(grad, other, alpha, dim, input_dtype);
  }
  auto const count = grad_dim ? grad.sym_size(*grad_dim) : other.sym_size(*other_dim);
  auto const samples_first = [&](at::Tensor const& tensor, std::optional<int64_t> batch_dim) {
    if (batch_dim.has_value()) return tensor.movedim(*batch_dim, 0);
    auto sizes = tensor.sym_sizes().vec();
    sizes.insert(sizes.begin(), count);
    return tensor.unsqueeze(0).expand_symint(sizes);
  };
  grad = samples_first(grad, grad_dim);
  Samples const grads(Name, grad, 0, dim);
  Samples const others(Name, samples_first(other, other_dim), 0, dim);
  at::Tensor const result = Backward(grads.rows, others.rows, alpha, grads.row_dim, input_dtype);
  return level.wrapped(result.view_as(grad), 0);
}

}  // namespace

ZETA_LIBRARY_IMPL(FuncTorchBatched, library) {
  for_each_member([&]<class Member>() {
    library.impl(Member::kName, &MemberCalls<Member>::template kernel<&forward>);
  });
  library.impl(family::kBackwardName, &backward<&family::backward, family::kBackwardName>);
  library.impl(family::kWithSupportName, &forward_with_support);
  library.impl(family::kSupportBackwardName,
               &backward<&family::support_backward, family::kSupportBackwardName>);
}

}  // namespace zeta::ops
