#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>

#include <cstdint>
#include <optional>

#include "ops/members.h"
#include "rowwise/row_geometry.h"

// The argument checks of every row-wise operator. They run below autograd and before each device's
// kernel, which takes what they return, and they are the same for meta tensors.
namespace zeta::ops {

struct RowArguments {
  int64_t dim;           // not negative
  at::ScalarType dtype;  // of the result
};

// Whether the operators compute in this dtype.
bool is_supported(at::ScalarType dtype);

// Here and below, `name` is the operator's, for errors. Returns the dim, not negative.
int64_t check_dim(char const* name, int64_t dimensions, int64_t dim);

RowArguments check_forward(char const* name, at::Tensor const& z, Call const& call);

// Checks the same, and that `out` can take the result.
RowArguments check_forward_out(char const* name, at::Tensor const& z, Call const& call,
                               at::Tensor const& out);

void check_alpha(char const* name, double alpha);

// What entmax's arguments but alpha mean where that is a tensor. In the call 1 stands for it.
Call call_of_alphas(std::optional<c10::SymInt> k, int64_t dim,
                    std::optional<at::Tensor> const& mask, std::optional<at::ScalarType> dtype);

// Checks the same as check_forward, where each row has an alpha: the tensor has size 1 along `dim`
// and is broadcast to z. Its numbers are not checked.
RowArguments check_of_alphas(char const* name, at::Tensor const& z, at::Tensor const& alpha,
                             Call const& call);

// Checks the same, and that `out` can take the result.
RowArguments check_of_alphas_out(char const* name, at::Tensor const& z, at::Tensor const& alpha,
                                 Call const& call, at::Tensor const& out);

// Returns the dim, not negative.
int64_t check_backward(char const* name, at::Tensor const& grad_output, at::Tensor const& output,
                       double alpha, int64_t dim, at::ScalarType input_dtype,
                       std::optional<c10::SymInt> const& length);

// Checks the same as check_forward, and that rows along `dim` can have a support tensor.
RowArguments check_forward_with_support(char const* name, at::Tensor const& z, Call const& call);

// Returns the dim, not negative. The contents of `support` are not checked: kernels skip what is no
// index in a row or is not above the indices before it.
int64_t check_support_backward(char const* name, at::Tensor const& grad_output,
                               at::Tensor const& support, std::optional<at::Tensor> const& output,
                               double alpha, int64_t dim, at::ScalarType input_dtype);

// Check the same as check_forward and check_of_alphas, for some entries of rows of `length`
// entries.
RowArguments check_of_candidates(char const* name, at::Tensor const& candidates, Call const& call,
                                 c10::SymInt const& length);
RowArguments check_candidates_of_alphas(char const* name, at::Tensor const& candidates,
                                        at::Tensor const& alpha, Call const& call,
                                        c10::SymInt const& length);

// Returns the dim, not negative.
int64_t check_largest(char const* name, at::Tensor const& z, c10::SymInt const& k, int64_t dim,
                      at::Tensor const& mask);

// Checks, after `out` was resized, that writing one element of it changes no other, nor z.
void check_no_overlap(char const* name, at::Tensor const& z, at::Tensor const& out);

// Returns the geometry of the rows along `dim` of several tensors. All tensors agree in every other
// size; the row length is the first one's. None of them is empty.
template <size_t Operands>
rowwise::RowGeometry<static_cast<int>(Operands)> row_geometry(
    std::array<std::reference_wrapper<at::Tensor const>, Operands> const& operands, int64_t dim);

extern template rowwise::RowGeometry<2> row_geometry(
    std::array<std::reference_wrapper<at::Tensor const>, 2> const&, int64_t);
extern template rowwise::RowGeometry<3> row_geometry(
    std::array<std::reference_wrapper<at::Tensor const>, 3> const&, int64_t);
extern template rowwise::RowGeometry<4> row_geometry(
    std::array<std::reference_wrapper<at::Tensor const>, 4> const&, int64_t);
extern template rowwise::RowGeometry<5> row_geometry(
    std::array<std::reference_wrapper<at::Tensor const>, 5> const&, int64_t);

}  // namespace zeta::ops
