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
inline constexpr char const* kOfCandidatesBackwardName = "_entmax_of_candidates_backward";
inline constexpr char const* kLargestName = "_largest";

inline constexpr char const* kNames[] = {
    kBackwardName,     kWithSupportName,          kSupportBackwardName,
    kOfCandidatesName, kOfCandidatesBackwardName, kLargestName};

// The gradient, from the weights that the forward returned.
at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                    int64_t dim, at::ScalarType input_dtype);

// The weights, and the support as in ops/support.h.
std::tuple<at::Tensor, at::Tensor> forward_with_support(at::Tensor const& z, double alpha,
                                                        c10::SymInt k, int64_t dim,
                                                        std::optional<at::ScalarType> dtype);

// The gradient, from the support.
at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support, double alpha,
                            int64_t dim, at::ScalarType input_dtype);

}  // namespace zeta::ops::family
