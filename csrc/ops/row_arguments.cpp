#include "ops/row_arguments.h"

#include <c10/core/SymBool.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <utility>

#include "mappings/family.h"
#include "ops/family.h"
#include "ops/overlap.h"
#include "ops/support.h"

namespace zeta::ops {
namespace {

// Replaces a symbol of a trace by the number that it stands for, if that is known. For errors.
c10::SymInt shown(c10::SymInt const& number) {
  bool const is_known = number.is_symbolic() && number.toSymNode()->has_hint();
  return is_known ? c10::SymInt(number.guard_int(__FILE__, __LINE__)) : number;
}

at::ScalarType check_dtype(char const* name, at::Tensor const& z,
                           std::optional<at::ScalarType> dtype) {
  constexpr char const* kExpected = "float32, float64, float16 or bfloat16";
  TORCH_CHECK(!z.is_complex(), name, ": expected z to be real, but got dtype ", z.scalar_type());
  if (dtype.has_value()) {
    TORCH_CHECK(is_supported(*dtype), name, ": expected dtype to be ", kExpected, ", but got ",
                *dtype);
    return *dtype;
  }
  TORCH_CHECK(is_supported(z.scalar_type()), name, ": expected z to have dtype ", kExpected,
              ", or dtype= to name one of these, but got ", z.scalar_type());
  return z.scalar_type();
}

void check_k(char const* name, c10::SymInt const& k) {
  TORCH_SYM_CHECK(k.sym_ge(1), name, ": expected k to be at least 1, but got ", shown(k));
}

void check_length(char const* name, c10::SymInt const& length) {
  TORCH_SYM_CHECK(length.sym_ge(1), name, ": expected length to be at least 1, but got ",
                  shown(length));
}

// Calls check(condition) for what has to hold for a tensor that is broadcast to z.
template <class Check>
void check_broadcast(at::Tensor const& tensor, at::Tensor const& z, Check const& check) {
  check(c10::SymInt(tensor.dim()).sym_le(z.dim()));
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    auto const size = tensor.sym_size(i);
    check(size.sym_eq(1).sym_or(size.sym_eq(z.sym_size(z.dim() - tensor.dim() + i))));
  }
}

void check_mask(char const* name, at::Tensor const& z, at::Tensor const& mask) {
  TORCH_CHECK(mask.scalar_type() == at::kBool, name,
              ": expected mask to have dtype Bool, True where an entry takes part, but got ",
              mask.scalar_type(), mask.is_floating_point() ? "; add a mask of numbers to z" : "");
  TORCH_CHECK(mask.device() == z.device(), name, ": expected mask to be on device ", z.device(),
              ", but got ", mask.device());
  check_broadcast(mask, z, [&](c10::SymBool const& is_right) {
    TORCH_SYM_CHECK(is_right, name, ": expected mask to be broadcast to z of size ", z.sym_sizes(),
                    ", but got size ", mask.sym_sizes());
  });
}

void check_out(char const* name, at::Tensor const& z, at::ScalarType dtype, at::Tensor const& out) {
  TORCH_CHECK(out.scalar_type() == dtype, name, ": Expected out tensor to have dtype ", dtype,
              ", but got ", out.scalar_type(), " instead");
  TORCH_CHECK(out.device() == z.device(), name, ": Expected out tensor to have device ", z.device(),
              ", but got ", out.device(), " instead");
}

void check_same_form(char const* name, at::Tensor const& grad_output, at::Tensor const& output) {
  TORCH_CHECK(grad_output.scalar_type() == output.scalar_type(), name,
              ": expected grad_output to have dtype ", output.scalar_type(), ", but got ",
              grad_output.scalar_type());
  TORCH_CHECK(grad_output.device() == output.device(), name,
              ": expected grad_output to be on device ", output.device(), ", but got ",
              grad_output.device());
  TORCH_CHECK(grad_output.dim() == output.dim(), name,
              ": expected grad_output to have the shape of output, ", output.sym_sizes(),
              ", but got ", grad_output.sym_sizes());
  for (int64_t i = 0; i < output.dim(); ++i) {
    TORCH_SYM_CHECK(grad_output.sym_size(i).sym_eq(output.sym_size(i)), name,
                    ": expected grad_output to have the shape of output, ", output.sym_sizes(),
                    ", but got ", grad_output.sym_sizes());
  }
}

void check_input_dtype(char const* name, at::ScalarType input_dtype) {
  TORCH_CHECK(c10::isFloatingType(input_dtype), name,
              ": expected input_dtype to be a floating-point dtype, but got ", input_dtype);
}

}  // namespace

void check_alpha(char const* name, double alpha) {
  TORCH_CHECK(mappings::is_in_family(alpha), name, ": expected alpha to be 1 or from ",
              mappings::kLeastAlphaAbove1, " to 2, but got ", alpha);
}

bool is_supported(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kDouble || dtype == at::kHalf ||
         dtype == at::kBFloat16;
}

int64_t check_dim(char const* name, int64_t dimensions, int64_t dim) {
  // As in torch, a tensor of no dimensions is one row of one entry.
  dimensions = std::max<int64_t>(dimensions, 1);
  TORCH_CHECK_INDEX(-dimensions <= dim && dim < dimensions, name,
                    ": Dimension out of range (expected to be in range of [", -dimensions, ", ",
                    dimensions - 1, "], but got ", dim, ")");
  return dim < 0 ? dim + dimensions : dim;
}

RowArguments check_forward(char const* name, at::Tensor const& z, Call const& call) {
  check_alpha(name, call.alpha);
  check_k(name, call.k);
  RowArguments const arguments = {check_dim(name, z.dim(), call.dim),
                                  check_dtype(name, z, call.dtype)};
  if (call.mask.defined()) check_mask(name, z, call.mask);
  return arguments;
}

Call call_of_alphas(std::optional<c10::SymInt> k, int64_t dim,
                    std::optional<at::Tensor> const& mask, std::optional<at::ScalarType> dtype) {
  return members::Entmax::call(/*alpha=*/1, std::move(k), dim, mask, dtype);
}

RowArguments check_of_alphas(char const* name, at::Tensor const& z, at::Tensor const& alpha,
                             Call const& call) {
  auto const arguments = check_forward(name, z, call);
  TORCH_CHECK(is_supported(alpha.scalar_type()), name,
              ": expected alpha to have dtype float32, float64, float16 or bfloat16, but got ",
              alpha.scalar_type());
  TORCH_CHECK(alpha.device() == z.device(), name, ": expected alpha to be on device ", z.device(),
              ", but got ", alpha.device());
  auto const check_shape = [&](c10::SymBool const& is_right) {
    TORCH_SYM_CHECK(is_right, name, ": expected alpha to have size 1 along dim ", arguments.dim,
                    " and be broadcast to z of size ", z.sym_sizes(), ", but got size ",
                    alpha.sym_sizes());
  };
  check_broadcast(alpha, z, check_shape);
  int64_t const row_dim = arguments.dim - (z.dim() - alpha.dim());
  if (row_dim >= 0 && alpha.dim() > 0) check_shape(alpha.sym_size(row_dim).sym_eq(1));
  return arguments;
}

RowArguments check_of_alphas_out(char const* name, at::Tensor const& z, at::Tensor const& alpha,
                                 Call const& call, at::Tensor const& out) {
  auto const arguments = check_of_alphas(name, z, alpha, call);
  check_out(name, z, arguments.dtype, out);
  return arguments;
}

RowArguments check_forward_out(char const* name, at::Tensor const& z, Call const& call,
                               at::Tensor const& out) {
  auto const arguments = check_forward(name, z, call);
  check_out(name, z, arguments.dtype, out);
  return arguments;
}

int64_t check_backward(char const* name, at::Tensor const& grad_output, at::Tensor const& output,
                       double alpha, int64_t dim, at::ScalarType input_dtype,
                       std::optional<c10::SymInt> const& length) {
  check_alpha(name, alpha);
  if (length.has_value()) check_length(name, *length);
  TORCH_CHECK(is_supported(output.scalar_type()), name,
              ": expected output to have dtype float32, float64, float16 or bfloat16, but got ",
              output.scalar_type());
  check_same_form(name, grad_output, output);
  check_input_dtype(name, input_dtype);
  return check_dim(name, output.dim(), dim);
}

RowArguments check_forward_with_support(char const* name, at::Tensor const& z, Call const& call) {
  auto const arguments = check_forward(name, z, call);
  TORCH_CHECK(z.dim() > 0, name, ": expected z to have a dimension, but it has none");
  TORCH_SYM_CHECK(z.sym_size(arguments.dim).sym_le(kLongestRowOfSupport), name,
                  ": expected rows of at most ", kLongestRowOfSupport, " entries, but got ",
                  z.sym_size(arguments.dim));
  return arguments;
}

int64_t check_support_backward(char const* name, at::Tensor const& grad_output,
                               at::Tensor const& support, std::optional<at::Tensor> const& output,
                               double alpha, int64_t dim, at::ScalarType input_dtype) {
  check_alpha(name, alpha);
  TORCH_CHECK(
      is_supported(grad_output.scalar_type()), name,
      ": expected grad_output to have dtype float32, float64, float16 or bfloat16, but got ",
      grad_output.scalar_type());
  TORCH_CHECK(support.scalar_type() == at::kInt, name,
              ": expected support to have dtype Int, but got ", support.scalar_type());
  TORCH_CHECK(support.device() == grad_output.device(), name, ": expected support to be on device ",
              grad_output.device(), ", but got ", support.device());
  check_input_dtype(name, input_dtype);
  int64_t const row_dim = check_dim(name, grad_output.dim(), dim);
  auto const check_shape = [&](c10::SymBool const& is_right) {
    TORCH_SYM_CHECK(is_right, name, ": expected support to have the shape of grad_output, ",
                    grad_output.sym_sizes(), ", but for 1 or more along dim ", row_dim,
                    ", but got ", support.sym_sizes());
  };
  check_shape(c10::SymInt(support.dim()).sym_eq(grad_output.dim()));
  check_shape(c10::SymInt(support.dim()).sym_gt(row_dim));
  for (int64_t i = 0; i < support.dim(); ++i) {
    auto const size = support.sym_size(i);
    check_shape(i == row_dim ? size.sym_ge(1) : size.sym_eq(grad_output.sym_size(i)));
  }
  if (family::has_constant_slopes(alpha)) return row_dim;
  TORCH_CHECK(output.has_value(), name, ": expected output to be given for alpha ", alpha,
              ", whose slopes depend on the weights, but got None");
  check_same_form(name, grad_output, *output);
  return row_dim;
}

RowArguments check_of_candidates(char const* name, at::Tensor const& candidates, Call const& call,
                                 c10::SymInt const& length) {
  check_length(name, length);
  return check_forward(name, candidates, call);
}

RowArguments check_candidates_of_alphas(char const* name, at::Tensor const& candidates,
                                        at::Tensor const& alpha, Call const& call,
                                        c10::SymInt const& length) {
  check_length(name, length);
  return check_of_alphas(name, candidates, alpha, call);
}

int64_t check_largest(char const* name, at::Tensor const& z, c10::SymInt const& k, int64_t dim,
                      at::Tensor const& mask) {
  TORCH_CHECK(z.dim() > 0, name, ": expected z to have a dimension, but it has none");
  check_k(name, k);
  int64_t const row_dim = check_dim(name, z.dim(), dim);
  check_dtype(name, z, std::nullopt);
  if (mask.defined()) check_mask(name, z, mask);
  return row_dim;
}

void check_no_overlap(char const* name, at::Tensor const& z, at::Tensor const& out) {
  TORCH_CHECK(!overlaps_itself(out), name,
              ": expected each element of out to have memory of its own, but got strides ",
              out.strides(), " for size ", out.sizes(), "; pass out.clone()");
  // A z of another dtype is copied before out is written.
  TORCH_CHECK(out.scalar_type() != z.scalar_type() || !share_elements(out, z), name,
              ": expected out and z to share no memory, but they overlap; pass z.clone()");
}

template <size_t Operands>
rowwise::RowGeometry<static_cast<int>(Operands)> row_geometry(
    std::array<std::reference_wrapper<at::Tensor const>, Operands> const& operands, int64_t dim) {
  rowwise::RowGeometryBuilder<static_cast<int>(Operands)> builder;
  at::Tensor const& first = operands[0];
  auto strides_along = [&](int64_t dimension) {
    std::array<int64_t, Operands> strides;
    std::transform(operands.begin(), operands.end(), strides.begin(),
                   [&](at::Tensor const& operand) { return operand.stride(dimension); });
    return strides;
  };
  if (first.dim() == 0) return builder.build();
  for (int64_t dimension = 0; dimension < first.dim(); ++dimension) {
    if (dimension == dim) {
      builder.set_row(first.size(dimension), strides_along(dimension));
    } else {
      builder.add_batch_dimension(first.size(dimension), strides_along(dimension));
    }
  }
  return builder.build();
}

template rowwise::RowGeometry<2> row_geometry(
    std::array<std::reference_wrapper<at::Tensor const>, 2> const&, int64_t);
template rowwise::RowGeometry<3> row_geometry(
    std::array<std::reference_wrapper<at::Tensor const>, 3> const&, int64_t);
template rowwise::RowGeometry<4> row_geometry(
    std::array<std::reference_wrapper<at::Tensor const>, 4> const&, int64_t);
template rowwise::RowGeometry<5> row_geometry(
    std::array<std::reference_wrapper<at::Tensor const>, 5> const&, int64_t);

}  // namespace zeta::ops
