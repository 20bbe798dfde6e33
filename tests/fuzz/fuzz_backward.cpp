#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "check.h"
#include "engine.h"
#include "layout.h"
#include "numbers.h"
#include "operand.h"
#include "rows.h"
#include "rowwise/cpu/kernels.h"

// Gradients of any numbers, for weights of the forward or any numbers in their place: the result of
// each row alone is what the definition says, and every other way to it gives the same bits.
namespace zeta::fuzz {
namespace {

template <class Scalar>
using Kernels = rowwise::cpu::Kernels<Scalar>;

template <class Scalar>
struct Case {
  double alpha;
  Shape shape;
  int64_t full_length;
  std::vector<Scalar> grads;
  std::vector<Scalar> weights;
  std::vector<Scalar> results;
};

template <class Scalar>
std::vector<Scalar> weights_of_rows(double alpha, std::vector<Scalar> const& logits,
                                    Shape const& shape, int64_t k) {
  auto const dense = dense_layout(shape);
  std::vector<Scalar> weights(logits.size());
  baseline_kernels<Scalar>(alpha).forward(alpha,
                                          geometry_of<2>(shape, {dense, dense}, shape.length),
                                          weights.data(), logits.data(), k, 0, shape.rows());
  return weights;
}

template <class Scalar>
void find_results(Case<Scalar>& of) {
  Shape const shape{1, of.shape.length, 1};
  auto const dense = dense_layout(shape);
  for (int64_t row = 0; row < of.shape.rows(); ++row) {
    auto const grads = row_of(of.grads, row, shape.length);
    auto const weights = row_of(of.weights, row, shape.length);
    std::vector<Scalar> results(grads.size(), unwritten<Scalar>());
    baseline_kernels<Scalar>(of.alpha).backward(
        of.alpha, geometry_of<3>(shape, {dense, dense, dense}, of.full_length), results.data(),
        grads.data(), weights.data(), 0, 1);
    check_gradient(widened_row(grads, 0, shape.length), widened_row(weights, 0, shape.length),
                   widened_row(results, 0, shape.length), kPrecision<Scalar>, of.full_length,
                   of.alpha);
    of.results.insert(of.results.end(), results.begin(), results.end());
  }
}

template <class Scalar>
void check_layout(Kernels<Scalar> const& kernels, Case<Scalar> const& of,
                  Operand<Scalar> const& grads, Operand<Scalar> const& weights,
                  Layout const& layout, int64_t first_part) {
  Operand<Scalar> results(of.shape, layout, unwritten<Scalar>());
  auto const geometry =
      geometry_of<3>(of.shape, {layout, grads.layout(), weights.layout()}, of.full_length);
  kernels.backward(of.alpha, geometry, results.data(), grads.data(), weights.data(), 0, first_part);
  kernels.backward(of.alpha, geometry, results.data(), grads.data(), weights.data(), first_part,
                   of.shape.rows());
  check_same_bits("rows together", results.gather(), of.results);
  results.check_gaps();
}

// Where rows of the result are not contiguous, zeros are there already.
template <class Scalar>
void check_from_support(char const* what, Kernels<Scalar> const& kernels, Case<Scalar> const& of,
                        Operand<Scalar> const& grads, Operand<Scalar> const& weights,
                        Operand<int32_t> const& support, int64_t capacity, Layout const& layout) {
  bool const is_contiguous = layout.strides[1] == 1;
  Operand<Scalar> results(of.shape, layout, unwritten<Scalar>());
  if (!is_contiguous) results.scatter(std::vector<Scalar>(of.grads.size()));
  auto const geometry = geometry_of<4>(
      of.shape, {layout, grads.layout(), weights.layout(), support.layout()}, of.shape.length);
  kernels.support_backward(of.alpha, geometry, results.data(), grads.data(),
                           of.alpha == 2 ? nullptr : weights.data(), support.data(), capacity, 0,
                           of.shape.rows());
  results.check_gaps();
  check_same_bits(what, results.gather(), of.results);
}

template <class Scalar>
std::vector<int32_t> supports_of(Case<Scalar> const& of, int64_t capacity) {
  std::vector<int32_t> supports;
  for (int64_t row = 0; row < of.shape.rows(); ++row) {
    auto const support = support_of(widened_row(of.weights, row, of.shape.length), capacity);
    supports.insert(supports.end(), support.begin(), support.end());
  }
  return supports;
}

// Counts and columns, of which few are so large that they are none of a row.
std::vector<int32_t> any_supports(std::vector<double> const& numbers, Shape const& shape) {
  std::vector<int32_t> supports;
  for (double const number : numbers) {
    int64_t bits;
    std::memcpy(&bits, &number, sizeof(bits));
    bool const is_any = bits % 16 == 0;
    auto const any = static_cast<int32_t>(bits >> 8);
    supports.push_back(is_any ? any : any % static_cast<int32_t>(shape.length + 1));
  }
  return supports;
}

// The case of the same gradients, and of those weights alone that are in these supports. A weight
// of 0 or NaN, which no support lists, is 1 there, and so is any for alpha = 2, which reads none.
template <class Scalar>
Case<Scalar> case_of_supports(Case<Scalar> const& of, std::vector<int32_t> const& supports) {
  Case<Scalar> result = {of.alpha, of.shape, of.shape.length, of.grads, {}, {}};
  auto const support_size = static_cast<int64_t>(supports.size()) / of.shape.rows();
  for (int64_t row = 0; row < of.shape.rows(); ++row) {
    auto weights = widened_row(of.weights, row, of.shape.length);
    for (double& weight : weights) {
      if (of.alpha == 2 || weight == 0 || std::isnan(weight)) weight = 1;
    }
    for (double const weight : weights_in(row_of(supports, row, support_size), weights)) {
      result.weights.push_back(rowwise::narrow<Scalar>(weight));
    }
  }
  return result;
}

template <class Scalar>
void check_any_support(Case<Scalar> const& of, Operand<Scalar> const& grads,
                       Operand<int32_t> const& support, int64_t capacity, Layout const& layout) {
  auto of_supports = case_of_supports(of, support.gather());
  find_results(of_supports);
  // Other weights are not read.
  auto listed = of_supports.weights;
  for (Scalar& weight : listed) {
    if (rowwise::widen(weight) == 0) weight = not_a_number<Scalar>();
  }
  Operand<Scalar> weights(of.shape, layout, not_a_number<Scalar>());
  weights.scatter(listed);
  for_each_capability<Scalar>(of.alpha, [&](Kernels<Scalar> const& kernels) {
    check_from_support("by any support", kernels, of_supports, grads, weights, support, capacity,
                       layout);
  });
}

template <class Scalar>
void check_backward(Input& input, double alpha) {
  Case<Scalar> of;
  of.alpha = alpha;
  of.shape = any_shape(input);
  int64_t const k = input.ConsumeIntegralInRange<int64_t>(1, of.shape.length);
  int64_t const any_capacity = input.ConsumeIntegralInRange<int64_t>(0, 40);
  bool const is_of_forward = input.ConsumeIntegralInRange(0, 3) != 0;
  of.full_length = any_full_length(input, of.shape.length);
  auto const layout = any_layout(input, of.shape, /*is_read=*/false);
  Operand<Scalar> grads(of.shape, any_layout(input, of.shape, /*is_read=*/true),
                        not_a_number<Scalar>());
  // Rows that are expanded have more non-zero weights than k.
  Operand<Scalar> weights(of.shape, any_layout(input, of.shape, /*is_read=*/!is_of_forward),
                          not_a_number<Scalar>());
  Shape const support_shape{of.shape.outer, 1 + k, of.shape.inner};
  Operand<int32_t> support(support_shape, any_layout(input, support_shape, /*is_read=*/false), -7);
  Shape const any_support_shape{of.shape.outer, 1 + any_capacity, of.shape.inner};
  Operand<int32_t> any_support(any_support_shape,
                               any_layout(input, any_support_shape, /*is_read=*/true), -7);
  int64_t const first_part = input.ConsumeIntegralInRange<int64_t>(0, of.shape.rows());

  auto const logits = any_rows<Scalar>(input, of.shape);
  weights.scatter(is_of_forward ? weights_of_rows(alpha, logits, of.shape, k) : logits);
  of.weights = weights.gather();
  grads.scatter(any_rows<Scalar>(input, of.shape));
  of.grads = grads.gather();
  any_support.scatter(any_supports(any_rows<double>(input, any_support_shape), of.shape));

  in_context(
      [&] {
        find_results(of);
        bool const has_support = is_of_forward && of.full_length == of.shape.length;
        if (has_support) support.scatter(supports_of(of, k));
        for_each_capability<Scalar>(alpha, [&](Kernels<Scalar> const& kernels) {
          check_layout(kernels, of, grads, weights, layout, first_part);
          if (!has_support) return;
          check_from_support("by the support", kernels, of, grads, weights, support, k, layout);
        });
        check_any_support(of, grads, any_support, any_capacity, layout);
      },
      "k = ", k, ", full length = ", of.full_length, ", ", of.shape);
}

}  // namespace
}  // namespace zeta::fuzz

extern "C" int LLVMFuzzerTestOneInput(uint8_t const* data, size_t size) {
  zeta::fuzz::Input input(data, size);
  zeta::fuzz::with_any_scalar_and_alpha(input, [&](auto zero, char const* dtype, double alpha) {
    zeta::fuzz::in_context([&] { zeta::fuzz::check_backward<decltype(zero)>(input, alpha); }, dtype,
                           ", alpha = ", alpha);
  });
  return 0;
}
