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

  at::Tensor wrapped(at::Tensor const& tensor, int64_t batch_dim) const {
    return functorch::makeBatched(tensor, batch_dim, number_);
  }

 private:
  c10::impl::ExcludeDispatchKeyGuard guard_{c10::DispatchKey::FuncTorchBatched};
  int64_t number_ = -1;
};

// A sample without a dimension is a row of one entry.
at::Tensor rows_of(at::Tensor const& samples) {
  return samples.dim() == 1 ? samples.unsqueeze(-1) : samples;
}

// The samples of a tensor, which the first dimension counts.
at::Tensor repeated(at::Tensor const& sample, c10::SymInt const& count) {
  auto sizes = sample.sym_sizes().vec();
  sizes.insert(sizes.begin(), count);
  return sample.unsqueeze(0).expand_symint(sizes);
}

// The rows of all samples of z, and what is broadcast to them. While it exists, the operators that
// a rule calls are not batched by its vmap.
class Samples {
 public:
  // `dim` is the dimension of the rows within a sample. Tensors that are undefined stay so.
  template <size_t Count>
  Samples(char const* name, at::Tensor const& z, int64_t dim,
          std::array<at::Tensor*, Count> const& broadcast)
      : level_(all_of(z, broadcast)) {
    auto const [value, batch_dim] = level_.unwrapped(z);
    std::optional<c10::SymInt> count;
    if (batch_dim.has_value()) count = value.sym_size(*batch_dim);
    std::array<std::optional<int64_t>, Count> batch_dims;
    for (size_t i = 0; i < Count; ++i) {
      std::tie(*broadcast[i], batch_dims[i]) = level_.unwrapped(*broadcast[i]);
      if (batch_dims[i].has_value()) count = broadcast[i]->sym_size(*batch_dims[i]);
    }
    are_batched_ = count.has_value();
    rows = value;
    row_dim = dim;
    if (!are_batched_) return;
    at::Tensor const samples =
        batch_dim.has_value() ? value.movedim(*batch_dim, 0) : repeated(value, *count);
    have_dimensions_ = samples.dim() > 1;
    rows = rows_of(samples);
    row_dim = check_dim(name, samples.dim() - 1, dim) + 1;
    for (size_t i = 0; i < Count; ++i) {
      if (!batch_dims[i].has_value()) continue;
      // The last dimension of a sample's tensor is at the last one of its rows.
      at::Tensor& tensor = *broadcast[i];
      tensor = tensor.movedim(*batch_dims[i], 0);
      while (tensor.dim() < rows.dim()) tensor = tensor.unsqueeze(1);
    }
  }

  at::Tensor rows;
  int64_t row_dim;

  // Returns a result of the rows as one of the samples.
  at::Tensor wrapped(at::Tensor const& result) const {
    if (!are_batched_) return result;
    return level_.wrapped(have_dimensions_ ? result : result.squeeze(-1), 0);
  }

 private:
  template <size_t Count>
  static std::array<at::Tensor, Count + 1> all_of(at::Tensor const& z,
                                                  std::array<at::Tensor*, Count> const& broadcast) {
    std::array<at::Tensor, Count + 1> result = {z};
    for (size_t i = 0; i < Count; ++i) result[i + 1] = *broadcast[i];
    return result;
  }

  Level level_;
  bool are_batched_ = false;
  bool have_dimensions_ = true;
};

at::Tensor forward(MemberOperator const& member, at::Tensor const& z, Call call) {
  Samples const samples(member.name, z, call.dim, std::array{&call.mask});
  call.dim = samples.row_dim;
  return samples.wrapped(member.forward(samples.rows, call));
}

at::Tensor forward_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                             std::optional<c10::SymInt> k, int64_t dim,
                             std::optional<at::Tensor> const& mask,
                             std::optional<at::ScalarType> dtype) {
  at::Tensor alphas = alpha;
  at::Tensor of_samples = tensor_of(mask);
  Samples const samples(members::Entmax::kName, z, dim, std::array{&alphas, &of_samples});
  return samples.wrapped(family::forward_of_alphas(
      samples.rows, alphas, std::move(k), samples.row_dim, optional_of(of_samples), dtype));
}

Compact compact(MemberOperator const& member, at::Tensor const& z, Call call) {
  Samples const samples(member.name, z, call.dim, std::array{&call.mask});
  call.dim = samples.row_dim;
  auto const [values, indices] = member.compact(samples.rows, call);
  return {samples.wrapped(values), samples.wrapped(indices)};
}

Compact compact_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                          std::optional<c10::SymInt> k, int64_t dim,
                          std::optional<at::Tensor> const& mask,
                          std::optional<at::ScalarType> dtype) {
  at::Tensor alphas = alpha;
  at::Tensor of_samples = tensor_of(mask);
  Samples const samples(members::Entmax::kName, z, dim, std::array{&alphas, &of_samples});
  auto const [values, indices] = family::compact_of_alphas(
      samples.rows, alphas, std::move(k), samples.row_dim, optional_of(of_samples), dtype);
  return {samples.wrapped(values), samples.wrapped(indices)};
}

std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, double alpha,
                                                        c10::SymInt k, int64_t dim,
                                                        std::optional<at::Tensor> const& mask,
                                                        std::optional<at::ScalarType> dtype) {
  at::Tensor of_samples = tensor_of(mask);
  Samples const samples(family::kWithSupportName, z, dim, std::array{&of_samples});
  auto const [output, support] = family::forward_with_support(
      samples.rows, alpha, std::move(k), samples.row_dim, optional_of(of_samples), dtype);
  return {samples.wrapped(output), samples.wrapped(support)};
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
      tensor = repeated(tensor, *count);
    }
    if (i == 0) grads = tensor;
    row_dim = check_dim(name, tensor.dim() - 1, dim) + 1;
    tensor = rows_of(tensor);
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
