#pragma once

#include <ATen/ATen.h>
#include <ATen/core/stack.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
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

// What is mapped: logits, with -inf in place of those that a mask leaves out, and rows without
// entries where it leaves out all.
inline std::vector<std::vector<double>> logit_rows_of(at::Tensor const& z, int64_t dim,
                                                      at::ScalarType dtype,
                                                      std::optional<at::Tensor> const& mask) {
  auto rows = rows_of(z.to(dtype), dim);
  if (!mask) return rows;
  auto const takes_part = rows_of(mask->expand_as(z), dim);
  for (size_t row = 0; row < rows.size(); ++row) {
    auto const& of_row = takes_part[row];
    if (std::count(of_row.begin(), of_row.end(), 1) == 0) rows[row].clear();
    for (size_t i = 0; i < rows[row].size(); ++i) {
      if (of_row[i] == 0) rows[row][i] = -std::numeric_limits<double>::infinity();
    }
  }
  return rows;
}

inline void check_left_out(std::vector<double> const& row, double expected) {
  auto const is_expected = [&](double x) { return x == expected; };
  if (!std::all_of(row.begin(), row.end(), is_expected)) fail("a row left out has ", row);
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
                          at::Tensor const& weights, double alpha,
                          std::optional<at::Tensor> const& mask,
                          std::optional<int64_t> full_length) {
  check_form("the output", weights, z, dtype);
  auto const logit_rows = logit_rows_of(z, dim, dtype, mask);
  auto const weight_rows = rows_of(weights, dim);
  for (size_t row = 0; row < logit_rows.size(); ++row) {
    if (logit_rows[row].empty()) {
      check_left_out(weight_rows[row], 0);
      continue;
    }
    auto const length = static_cast<int64_t>(logit_rows[row].size());
    check_weights(logit_rows[row], k, weight_rows[row], precision_of(dtype),
                  full_length.value_or(length), alpha);
  }
}

inline void check_backward(at::Tensor const& grad_output,
                           std::vector<std::vector<double>> const& weights, int64_t dim,
                           at::ScalarType input_dtype, at::Tensor const& result, double alpha,
                           std::optional<int64_t> full_length = {}) {
  check_form("the gradient", result, grad_output, input_dtype);
  auto const dtype = grad_output.scalar_type();
  if (input_dtype != dtype) return;
  auto const grads = rows_of(grad_output, dim);
  auto const results = rows_of(result, dim);
  for (size_t row = 0; row < grads.size(); ++row) {
    if (weights[row].empty()) continue;
    auto const length = static_cast<int64_t>(grads[row].size());
    check_gradient(grads[row], weights[row], results[row], precision_of(dtype),
                   full_length.value_or(length), alpha);
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

// The weights in each row's support, of which alpha = 2 needs no numbers. A row is empty if one of
// them is NaN, which the count would have said.
inline std::vector<std::vector<double>> weights_in_supports(at::Tensor const& support,
                                                            at::IValue const& output, int64_t dim,
                                                            int64_t length, double alpha) {
  std::vector<std::vector<double>> weights;
  if (alpha != 2) weights = rows_of(output.toTensor(), dim);
  auto const supports = rows_of(support, dim);
  weights.resize(supports.size(), std::vector<double>(static_cast<size_t>(length), 1));
  for (size_t row = 0; row < supports.size(); ++row) {
    std::vector<int32_t> const columns(supports[row].begin(), supports[row].end());
    weights[row] = weights_in(columns, weights[row]);
    if (columns[0] >= 0 && has_nan(weights[row])) weights[row].clear();
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

// The values and indices are those of the largest weights, which the dense form has.
inline void check_compact(at::Tensor const& z, int64_t k, int64_t dim, at::ScalarType dtype,
                          at::Tensor const& values, at::Tensor const& indices, double alpha,
                          std::optional<at::Tensor> const& mask) {
  auto const logits = logit_rows_of(z, dim, dtype, mask);
  auto const value_rows = rows_of(values, dim);
  auto const index_rows = rows_of(indices, dim);
  for (size_t row = 0; row < value_rows.size(); ++row) {
    if (logits[row].empty()) {
      check_left_out(value_rows[row], 0);
      check_left_out(index_rows[row], -1);
      continue;
    }
    auto const length = static_cast<int64_t>(logits[row].size());
    std::vector<double> weights(logits[row].size());
    for (size_t i = 0; i < value_rows[row].size(); ++i) {
      double const value = value_rows[row][i];
      auto const index = static_cast<int64_t>(index_rows[row][i]);
      bool const is_in_order = i == 0 || !(value > value_rows[row][i - 1]);
      if (index >= length || (index < 0) != (value == 0) || !is_in_order) {
        fail("row ", row, " has values ", value_rows[row], " at ", index_rows[row]);
      }
      if (index >= 0) weights[static_cast<size_t>(index)] = value;
    }
    if (std::isnan(value_rows[row][0])) std::fill(weights.begin(), weights.end(), std::nan(""));
    check_weights(logits[row], k, weights, precision_of(dtype), length, alpha);
  }
}

// An argument of a call, if the operator has one of this name.
inline std::optional<at::IValue> find_argument(c10::FunctionSchema const& schema,
                                               Stack const& arguments, char const* name) {
  auto const index = schema.argumentIndexWithName(name);
  if (!index.has_value()) return std::nullopt;
  return arguments[static_cast<size_t>(*index)];
}

// Knows the operators that there are; of others nothing is checked.
inline void check_results(c10::FunctionSchema const& schema, Stack const& arguments,
                          Stack const& results) {
  at::Tensor const first = arguments[0].toTensor();
  at::Tensor const result = results[0].toTensor();
  if (first.is_meta() || result.is_meta()) return;
  std::string const name = schema.name().substr(std::string("zeta::").size());
  auto const argument = [&](char const* name) { return find_argument(schema, arguments, name); };
  auto const given_alpha = argument("alpha");
  if (given_alpha && given_alpha->isTensor()) return;  // each row has its own
  double const alpha = given_alpha ? given_alpha->toDouble() : name == "topk_softmax" ? 1 : 2;
  auto const given_k = argument("k");
  int64_t const k = given_k && !given_k->isNone() ? given_k->toInt() : INT64_MAX;
  int64_t const dim = argument("dim")->toInt();
  auto const given_length = argument("length");
  std::optional<int64_t> const length =
      given_length && !given_length->isNone() ? std::optional(given_length->toInt()) : std::nullopt;
  if (name == "_entmax_backward" || name == "_sparse_softmax_backward") {
    return check_backward(first, rows_of(argument("output")->toTensor(), dim), dim,
                          argument("input_dtype")->toScalarType(), result, alpha, length);
  }
  if (name == "_entmax_support_backward" || name == "_sparse_softmax_support_backward") {
    if (first.numel() == 0) return;
    auto const weights =
        weights_in_supports(argument("support")->toTensor(),
                            argument("output").value_or(at::IValue()), dim, first.size(dim), alpha);
    return check_backward(first, weights, dim, argument("input_dtype")->toScalarType(), result,
                          alpha);
  }
  auto const dtype = argument("dtype");
  auto const weight_dtype =
      dtype ? optional_dtype(*dtype).value_or(first.scalar_type()) : first.scalar_type();
  auto const given_mask = argument("mask");
  std::optional<at::Tensor> mask = given_mask ? given_mask->toOptional<at::Tensor>() : std::nullopt;
  if (mask && !mask->defined()) mask.reset();  // the operators see no difference
  if (name == "_largest") {
    auto const filled =
        mask ? at::where(*mask, first, -std::numeric_limits<double>::infinity()) : first;
    return check_largest(filled, k, dim, result);
  }
  if (schema.overload_name() == "compact") {
    return check_compact(first, k, dim, weight_dtype, result, results[1].toTensor(), alpha, mask);
  }
  check_forward(first, k, dim, weight_dtype, result, alpha, mask, length);
  if (results.size() > 1) check_support(result, k, dim, results[1].toTensor());
}

}  // namespace zeta::fuzz
