#pragma once

#include <ATen/ATen.h>
#include <ATen/core/stack.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "check.h"
#include "rowwise/float16.h"

// Checks of an operator's results, given its arguments, as the dispatcher has both.
namespace zeta::fuzz {

using torch::jit::Stack;

inline Precision precision_of(at::ScalarType dtype) {
  if (dtype == at::kFloat) return kPrecision<float>;
  if (dtype == at::kDouble) return kPrecision<double>;
  return dtype == at::kHalf ? kPrecision<rowwise::Float16> : kPrecision<rowwise::BFloat16>;
}

inline double rounding_of(at::ScalarType dtype, int64_t full_length) {
  return dtype == at::kDouble ? rounding_of_sums<double>(full_length)
                              : rounding_of_sums<float>(full_length);
}

inline std::optional<at::ScalarType> optional_dtype(at::IValue const& value) {
  if (value.isNone()) return std::nullopt;
  return value.toScalarType();
}

// Of any dtype that has numbers.
inline std::vector<std::vector<double>> rows_of(at::Tensor const& tensor, int64_t dim) {
  std::vector<std::vector<double>> rows;
  if (tensor.numel() == 0) return rows;
  at::Tensor wide = tensor.detach().to(at::kDouble);
  wide = (wide.dim() == 0 ? wide.reshape({1}) : wide.movedim(dim, -1)).contiguous();
  int64_t const length = wide.size(-1);
  auto const* const data = wide.const_data_ptr<double>();
  for (int64_t row = 0; row < wide.numel(); row += length) {
    rows.emplace_back(data + row, data + row + length);
  }
  return rows;
}

inline void check_form(char const* what, at::Tensor const& result, at::Tensor const& like,
                       at::ScalarType dtype) {
  if (result.sizes() != like.sizes() || result.scalar_type() != dtype ||
      result.device() != like.device()) {
    fail(what, " is of size ", result.sizes(), ", dtype ", result.scalar_type(), ", device ",
         result.device(), " in place of ", like.sizes(), ", ", dtype, ", ", like.device());
  }
}

inline void check_forward(at::Tensor const& z, int64_t k, int64_t dim, at::ScalarType dtype,
                          at::Tensor const& weights, std::optional<int64_t> full_length = {}) {
  check_form("the output", weights, z, dtype);
  auto const logit_rows = rows_of(z.to(dtype), dim);
  auto const weight_rows = rows_of(weights, dim);
  for (size_t row = 0; row < logit_rows.size(); ++row) {
    auto const length = static_cast<int64_t>(logit_rows[row].size());
    check_weights(logit_rows[row], k, weight_rows[row], precision_of(dtype),
                  rounding_of(dtype, full_length.value_or(length)));
  }
}

inline void check_backward(at::Tensor const& grad_output,
                           std::vector<std::vector<double>> const& weights, int64_t dim,
                           at::ScalarType input_dtype, at::Tensor const& result,
                           std::optional<int64_t> full_length = {}) {
  check_form("the gradient", result, grad_output, input_dtype);
  auto const dtype = grad_output.scalar_type();
  if (input_dtype != dtype) return;
  auto const grads = rows_of(grad_output, dim);
  auto const results = rows_of(result, dim);
  for (size_t row = 0; row < grads.size(); ++row) {
    auto const length = static_cast<int64_t>(grads[row].size());
    check_gradient(grads[row], weights[row], results[row], precision_of(dtype),
                   4 * precision_of(dtype).half_ulp_of_one +
                       2 * rounding_of(dtype, full_length.value_or(length)));
  }
}

inline void check_support(at::Tensor const& weights, int64_t k, int64_t dim,
                          at::Tensor const& support) {
  auto const weight_rows = rows_of(weights, dim);
  auto const support_rows = rows_of(support, dim);
  for (size_t row = 0; row < weight_rows.size(); ++row) {
    auto const length = static_cast<int64_t>(weight_rows[row].size());
    auto const expected = support_of(weight_rows[row], std::min(k, length));
    if (!std::equal(expected.begin(), expected.end(), support_rows[row].begin(),
                    support_rows[row].end())) {
      fail("the support of row ", row, " ", weight_rows[row], " is not ", support_rows[row]);
    }
  }
}

inline std::vector<std::vector<double>> weights_of_supports(at::Tensor const& support, int64_t dim,
                                                            int64_t length) {
  std::vector<std::vector<double>> weights;
  for (auto const& row : rows_of(support, dim)) {
    weights.push_back(weights_of(std::vector<int32_t>(row.begin(), row.end()), length));
  }
  return weights;
}

inline void check_largest(at::Tensor const& z, int64_t k, int64_t dim, at::Tensor const& columns) {
  auto const entry_rows = rows_of(z, dim);
  auto const column_rows = rows_of(columns, dim);
  for (size_t row = 0; row < entry_rows.size(); ++row) {
    std::vector<int64_t> const taken(column_rows[row].begin(), column_rows[row].end());
    auto const length = static_cast<int64_t>(entry_rows[row].size());
    if (static_cast<int64_t>(taken.size()) != std::min(k, length) ||
        !are_largest(taken, entry_rows[row])) {
      fail("the largest of row ", row, " ", entry_rows[row], " are not ", column_rows[row]);
    }
  }
}

// Knows the operators that there are; of others nothing is checked.
inline void check_results(std::string const& name, Stack const& arguments, Stack const& results) {
  at::Tensor const first = arguments[0].toTensor();
  at::Tensor const result = results[0].toTensor();
  if (first.is_meta() || result.is_meta()) return;
  if (name == "zeta::_largest") {
    return check_largest(first, arguments[1].toInt(), arguments[2].toInt(), result);
  }
  if (name == "zeta::_entmax_backward") {
    auto const weights = arguments[1].toTensor();
    auto const dim = arguments[3].toInt();
    return check_backward(first, rows_of(weights, dim), dim, arguments[4].toScalarType(), result);
  }
  if (name == "zeta::_entmax_support_backward") {
    auto const dim = arguments[3].toInt();
    if (first.numel() == 0) return;
    int64_t const length = first.size(dim);
    return check_backward(first, weights_of_supports(arguments[1].toTensor(), dim, length), dim,
                          arguments[4].toScalarType(), result);
  }
  if (name == "zeta::_entmax_of_candidates_backward") {
    auto const dim = arguments[3].toInt();
    int64_t const length = arguments[4].toInt();
    return check_backward(first, rows_of(arguments[1].toTensor(), dim), dim, first.scalar_type(),
                          result, length);
  }
  bool const takes_alpha = arguments[1].isDouble();
  int64_t const k = arguments[takes_alpha ? 2 : 1].toInt();
  int64_t const dim = arguments[takes_alpha ? 3 : 2].toInt();
  if (name == "zeta::_entmax_of_candidates") {
    return check_forward(first, k, dim, first.scalar_type(), result, arguments[4].toInt());
  }
  if (name.starts_with("zeta::sparse_softmax") || name == "zeta::_entmax_with_support") {
    auto const dtype = optional_dtype(arguments[takes_alpha ? 4 : 3]).value_or(first.scalar_type());
    check_forward(first, k, dim, dtype, result);
    if (results.size() > 1) check_support(result, k, dim, results[1].toTensor());
  }
}

}  // namespace zeta::fuzz
