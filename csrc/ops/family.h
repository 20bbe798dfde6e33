#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>

#include <cstdint>
#include <optional>
#include <tuple>

// The internal operators. Each exists once for all members of the family, and takes alpha.
namespace zeta::ops::family {

inline constexpr char const* kBackwardName = "_entmax_backward";
inline constexpr char const* kWithSupportName = "_entmax_with_support";
inline constexpr char const* kSupportBackwardName = "_entmax_support_backward";
inline constexpr char const* kOfCandidatesName = "_entmax_of_candidates";
inline constexpr char const* kCandidatesOfAlphasName = "_entmax_of_candidates.tensor_alpha";
inline constexpr char const* kLargestName = "_largest";

inline constexpr char const* kNames[] = {kBackwardName,           kWithSupportName,
                                         kSupportBackwardName,    kOfCandidatesName,
                                         kCandidatesOfAlphasName, kLargestName};

// The gradient, from the weights that the forward returned. If both hold only some entries of rows
// of `length` entries, those of the support among them, it has the bits of the full rows'.
at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                    int64_t dim, at::ScalarType input_dtype,
                    std::optional<c10::SymInt> const& length);

// The weights, and the support as in ops/support.h.
std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, double alpha,
                                                        c10::SymInt k, int64_t dim,
                                                        std::optional<at::Tensor> const& mask,
                                                        std::optional<at::ScalarType> dtype);

// The gradient, from the support, and where slopes vary from the weights there.
at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support,
                            std::optional<at::Tensor> const& output, double alpha, int64_t dim,
                            at::ScalarType input_dtype);

// Whether the slopes of all weights other than 0 are the same, so that the support alone decides
// the gradient.
constexpr bool has_constant_slopes(double alpha) { return alpha == 2; }

// The weights of rows of `length` entries, given only some entries of each, in order of index,
// among them the k largest. They have the bits of the full rows'.
at::Tensor of_candidates(at::Tensor const& candidates, double alpha, c10::SymInt k, int64_t dim,
                         c10::SymInt length);
at::Tensor of_candidates(at::Tensor const& candidates, at::Tensor const& alpha, c10::SymInt k,
                         int64_t dim, c10::SymInt length);

// Entmax with an alpha of its own for each row, see check_of_alphas() in ops/row_arguments.h.
inline constexpr char const* kOfAlphasName = "entmax.tensor_alpha";
inline constexpr char const* kOfAlphasOutName = "entmax.tensor_alpha_out";
inline constexpr char const* kOfAlphasCompactName = "entmax.tensor_alpha_compact";
inline constexpr char const* kNamesOfAlphas[] = {kOfAlphasName, kOfAlphasOutName,
                                                 kOfAlphasCompactName};
at::Tensor forward_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                             std::optional<c10::SymInt> k, int64_t dim,
                             std::optional<at::Tensor> const& mask,
                             std::optional<at::ScalarType> dtype);
at::Tensor& forward_of_alphas_out(at::Tensor const& z, at::Tensor const& alpha,
                                  std::optional<c10::SymInt> k, int64_t dim,
                                  std::optional<at::Tensor> const& mask,
                                  std::optional<at::ScalarType> dtype, at::Tensor& out);
std::tuple<at::Tensor, at::Tensor> compact_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                                                     std::optional<c10::SymInt> k, int64_t dim,
                                                     std::optional<at::Tensor> const& mask,
                                                     std::optional<at::ScalarType> dtype);

// The indices of the k largest entries of each row, in increasing order. What a mask leaves out
// counts as -inf.
at::Tensor largest(at::Tensor const& z, c10::SymInt k, int64_t dim,
                   std::optional<at::Tensor> const& mask);

}  // namespace zeta::ops::family
