// Batching rules: a vmapped operator is the operator over one more dimension.
#include <ATen/functorch/BatchedTensorImpl.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>
#include <array>
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
  explicit Level(c10::ArrayRef<at::Tensor> tensors) {
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

  // Whether any vmap batches one of the tensors.
  bool is_batched() const { return number_ >= 0; }

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
  Level const level(z);
  auto const [value, batch_dim] = level.unwrapped(z);
  if (!batch_dim.has_value()) return member.forward(value, call);
  Samples const samples(member.name, value, *batch_dim, call.dim);
  call.dim = samples.row_dim;
  at::Tensor const output = member.forward(samples.rows, call);
  return level.wrapped(output.view_as(value), *batch_dim);
}

// Returns the samples of z, which the first dimension counts, and their alphas. This vmap may batch
// one of the two alone.
std::pair<at::Tensor, at::Tensor> samples_of_alphas(Level const& level, at::Tensor const& z,
                                                    at::Tensor const& alpha) {
  auto [value, batch_dim] = level.unwrapped(z);
  auto [alphas, alphas_dim] = level.unwrapped(alpha);
  if (batch_dim.has_value()) {
    value = value.movedim(*batch_dim, 0);
  } else {
    auto sizes = value.sym_sizes().vec();
    sizes.insert(sizes.begin(), alphas.sym_size(*alphas_dim));
    value = value.unsqueeze(0).expand_symint(sizes);
  }
  if (alphas_dim.has_value()) {
    // Of each sample's alphas the last dimension is at the last of its rows.
    alphas = alphas.movedim(*alphas_dim, 0);
    while (alphas.dim() < std::max<int64_t>(value.dim(), 2)) alphas = alphas.unsqueeze(1);
  }
  return {value, alphas};
}

at::Tensor forward_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                             std::optional<c10::SymInt> k, int64_t dim,
                             std::optional<at::ScalarType> dtype) {
  Level const level({z, alpha});
  if (!level.is_batched()) return family::forward_of_alphas(z, alpha, std::move(k), dim, dtype);
  auto const [value, alphas] = samples_of_alphas(level, z, alpha);
  Samples const samples(members::Entmax::kName, value, 0, dim);
  at::Tensor const output =
      family::forward_of_alphas(samples.rows, alphas, std::move(k), samples.row_dim, dtype);
  return level.wrapped(output.view_as(value), 0);
}

// Gives samples that have no dimension results without one.
Compact wrapped(Level const& level, Compact const& results, at::Tensor const& value,
                int64_t batch_dim) {
  auto [values, indices] = results;
  if (value.dim() == 1) {
    values = values.squeeze(-1);
    indices = indices.squeeze(-1);
  }
  return {level.wrapped(values, batch_dim), level.wrapped(indices, batch_dim)};
}

Compact compact(MemberOperator const& member, at::Tensor const& z, Call call) {
  Level const level(z);
  auto const [value, batch_dim] = level.unwrapped(z);
  if (!batch_dim.has_value()) return member.compact(value, call);
  Samples const samples(member.name, value, *batch_dim, call.dim);
  call.dim = samples.row_dim;
  return wrapped(level, member.compact(samples.rows, call), value, *batch_dim);
}

Compact compact_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                          std::optional<c10::SymInt> k, int64_t dim,
                          std::optional<at::ScalarType> dtype) {
  Level const level({z, alpha});
  if (!level.is_batched()) return family::compact_of_alphas(z, alpha, std::move(k), dim, dtype);
  auto const [value, alphas] = samples_of_alphas(level, z, alpha);
  Samples const samples(members::Entmax::kName, value, 0, dim);
  Compact const results =
      family::compact_of_alphas(samples.rows, alphas, std::move(k), samples.row_dim, dtype);
  return wrapped(level, results, value, 0);
}

std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, double alpha,
                                                        c10::SymInt k, int64_t dim,
                                                        std::optional<at::ScalarType> dtype) {
  Level const level(z);
  auto const [value, batch_dim] = level.unwrapped(z);
  if (!batch_dim.has_value()) {
    return family::forward_with_support(value, alpha, std::move(k), dim, dtype);
  }
  Samples const samples(family::kWithSupportName, value, *batch_dim, dim);
  auto const [output, support] =
      family::forward_with_support(samples.rows, alpha, std::move(k), samples.row_dim, dtype);
  return {level.wrapped(output.view_as(value), *batch_dim), level.wrapped(support, *batch_dim)};
}

// Runs backward(rows of each tensor, dim) on the samples of all tensors, of which the first is the
// gradient that arrives. Tensors that this vmap does not batch are the same for all samples.
template <size_t Count, class Backward>
at::Tensor backward_of_samples(char const* name, std::array<at::Tensor, Count> tensors, int64_t dim,
                               Backward const& backward) {
  Level const level(tensors);
  std::array<std::optional<int64_t>, Count> batch_dims;
  std::optional<c10::SymInt> count;
  for (size_t i = 0; i < Count; ++i) {
    std::tie(tensors[i], batch_dims[i]) = level.unwrapped(tensors[i]);
    if (batch_dims[i].has_value()) count = tensors[i].sym_size(*batch_dims[i]);
  }
  if (!count.has_value()) return backward(tensors, dim);
  int64_t row_dim = 0;
  at::Tensor grads;
  for (size_t i = 0; i < Count; ++i) {
    at::Tensor& tensor = tensors[i];
    if (batch_dims[i].has_value()) {
      tensor = tensor.movedim(*batch_dims[i], 0);
    } else {
      auto sizes = tensor.sym_sizes().vec();
      sizes.insert(sizes.begin(), *count);
      tensor = tensor.unsqueeze(0).expand_symint(sizes);
    }
    if (i == 0) grads = tensor;
    Samples const samples(name, tensor, 0, dim);
    tensor = samples.rows;
    row_dim = samples.row_dim;
  }
  return level.wrapped(backward(tensors, row_dim).view_as(grads), 0);
}

at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                    int64_t dim, at::ScalarType input_dtype, std::optional<c10::SymInt> length) {
  return backward_of_samples<2>(
      family::kBackwardName, {grad_output, output}, dim, [&](auto const& rows, int64_t row_dim) {
        return family::backward(rows[0], rows[1], alpha, row_dim, input_dtype, length);
      });
}

at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support,
                            std::optional<at::Tensor> const& output, double alpha, int64_t dim,
                            at::ScalarType input_dtype) {
  constexpr auto* name = family::kSupportBackwardName;
  if (!output.has_value()) {
    return backward_of_samples<2>(name, {grad_output, support}, dim,
                                  [&](auto const& rows, int64_t row_dim) {
                                    return family::support_backward(rows[0], rows[1], std::nullopt,
                                                                    alpha, row_dim, input_dtype);
                                  });
  }
  return backward_of_samples<3>(
      name, {grad_output, support, *output}, dim, [&](auto const& rows, int64_t row_dim) {
        return family::support_backward(rows[0], rows[1], rows[2], alpha, row_dim, input_dtype);
      });
}

}  // namespace

ZETA_LIBRARY_IMPL(FuncTorchBatched, library) {
  for_each_member([&]<class Member>() {
    using Calls = MemberCalls<Member>;
    library.impl(Member::kName, &Calls::template kernel<&forward>);
    library.impl(compact_name<Member>().c_str(), &Calls::template kernel<&compact>);
  });
  library.impl(family::kOfAlphasName, &forward_of_alphas);
  library.impl(family::kOfAlphasCompactName, &compact_of_alphas);
  library.impl(family::kBackwardName, &backward);
  library.impl(family::kWithSupportName, &forward_with_support);
  library.impl(family::kSupportBackwardName, &support_backward);
}

}  // namespace zeta::ops
