#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>

#include <cstdint>
#include <optional>
#include <tuple>

// Calls the operators of sparse_softmax through the dispatcher. Each handle is looked up once.
namespace zeta::ops::sparse_softmax {

inline constexpr char const* kName = "sparse_softmax";
inline constexpr char const* kBackwardName = "_sparse_softmax_backward";
inline constexpr char const* kWithSupportName = "_sparse_softmax_with_support";
inline constexpr char const* kSupportBackwardName = "_sparse_softmax_support_backward";
inline constexpr char const* kOfCandidatesName = "_sparse_softmax_of_candidates";
inline constexpr char const* kOfCandidatesBackwardName = "_sparse_softmax_of_candidates_backward";

using ForwardSignature = at::Tensor(at::Tensor const& z, c10::SymInt k, int64_t dim,
                                    std::optional<at::ScalarType> dtype);
using ForwardOutSignature = at::Tensor&(at::Tensor const& z, c10::SymInt k, int64_t dim,
                                        std::optional<at::ScalarType> dtype, at::Tensor& out);
using BackwardSignature = at::Tensor(at::Tensor const& grad_output, at::Tensor const& output,
                                     int64_t dim, at::ScalarType input_dtype);
using WithSupportSignature = std::tuple<at::Tensor, at::Tensor>(
    at::Tensor const& z, c10::SymInt k, int64_t dim, std::optional<at::ScalarType> dtype);
using SupportBackwardSignature = at::Tensor(at::Tensor const& grad_output,
                                            at::Tensor const& support, int64_t dim,
                                            at::ScalarType input_dtype);

ForwardSignature forward;
ForwardOutSignature forward_out;
BackwardSignature backward;
WithSupportSignature forward_with_support;  // the output, and the support as in ops/support.h
SupportBackwardSignature support_backward;

}  // namespace zeta::ops::sparse_softmax
