#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "check.h"
#include "engine.h"
#include "layout.h"
#include "numbers.h"
#include "operand.h"
#include "rows.h"
#include "rowwise/cpu/kernels.h"
#include "rowwise/cpu/largest.h"
#include "rowwise/mask.h"

// Rows of any numbers, in any layout: the weights of each alone are what the definition says, and
// every other way to them gives the same bits.
namespace zeta::fuzz {
namespace {

template <class Scalar>
struct Case {
  double alpha;
  Shape shape;
  int64_t k;
  int64_t full_length;
  std::vector<Scalar> logits;
  std::vector<Scalar> weights;
  std::vector<Scalar> compact_weights;
  std::vector<int64_t> compact_columns;
  std::vector<rowwise::MaskEntry> mask;
  std::vector<Scalar> masked_weights;

  int64_t capacity() const { return std::min(k, shape.length); }
};

template <class Scalar>
using Kernels = rowwise::cpu::Kernels<Scalar>;

template <class Scalar>
std::vector<Scalar> weights_of_row(Case<Scalar> const& of, std::vector<Scalar> const& logits) {
  Shape const shape{1, static_cast<int64_t>(logits.size()), 1};
  auto const dense = dense_layout(shape);
  std::vector<Scalar> weights(logits.size(), unwritten<Scalar>());
  baseline_kernels<Scalar>(of.alpha).forward(of.alpha,
                                             geometry_of<2>(shape, {dense, dense}, of.full_length),
                                             weights.data(), logits.data(), of.k, 0, 1);
  return weights;
}

template <class Scalar>
void find_weights(Case<Scalar>& of) {
  for (int64_t row = 0; row < of.shape.rows(); ++row) {
    auto const logits = row_of(of.logits, row, of.shape.length);
    auto const weights = weights_of_row(of, logits);
    check_weights(widened_row(logits, 0, of.shape.length), of.k,
                  widened_row(weights, 0, of.shape.length), kPrecision<Scalar>, of.full_length,
                  of.alpha);
    of.weights.insert(of.weights.end(), weights.begin(), weights.end());
  }
}

template <class Scalar>
void find_compact(Case<Scalar>& of) {
  for (int64_t row = 0; row < of.shape.rows(); ++row) {
    auto const weights = row_of(of.weights, row, of.shape.length);
    auto const columns = reference::compact_columns(widened_row(of.logits, row, of.shape.length),
                                                    widened_row(weights, 0, of.shape.length),
                                                    static_cast<size_t>(of.capacity()));
    for (int64_t const column : columns) {
      of.compact_columns.push_back(column);
      of.compact_weights.push_back(column < 0 ? Scalar{} : weights[static_cast<size_t>(column)]);
    }
  }
}

// Leaves out about a third of the entries, and every fifth row as a whole.
template <class Scalar>
void find_masked(Case<Scalar>& of, int64_t seed) {
  auto const left_out = rowwise::narrow<Scalar>(-std::numeric_limits<double>::infinity());
  for (int64_t row = 0; row < of.shape.rows(); ++row) {
    auto logits = row_of(of.logits, row, of.shape.length);
    bool has_any = false;
    for (int64_t column = 0; column < of.shape.length; ++column) {
      bool const takes_part = row % 5 != 4 && (row * 7 + column * 5 + seed) % 11 < 7;
      of.mask.push_back(takes_part ? 1 : 0);
      has_any = has_any || takes_part;
      if (!takes_part) logits[static_cast<size_t>(column)] = left_out;
    }
    auto weights = weights_of_row(of, logits);
    if (!has_any) std::fill(weights.begin(), weights.end(), Scalar{});
    of.masked_weights.insert(of.masked_weights.end(), weights.begin(), weights.end());
  }
}

template <class Scalar>
void check_masked(Kernels<Scalar> const& kernels, Case<Scalar> const& of,
                  Operand<Scalar> const& logits, Layout const& layout, int64_t first_part) {
  Operand<Scalar> weights(of.shape, layout, unwritten<Scalar>());
  Operand<rowwise::MaskEntry> mask(of.shape, logits.layout(), 0);
  mask.scatter(of.mask);
  // Where the layout lets rows share entries, they share those of the mask, too.
  if (mask.gather() != of.mask) return;
  auto const geometry =
      geometry_of<4>(of.shape, {layout, logits.layout(), layout, logits.layout()}, of.full_length);
  kernels.forward_masked(of.alpha, geometry, weights.data(), logits.data(), nullptr, mask.data(),
                         of.k, 0, first_part);
  kernels.forward_masked(of.alpha, geometry, weights.data(), logits.data(), nullptr, mask.data(),
                         of.k, first_part, of.shape.rows());
  check_same_bits("masked rows", weights.gather(), of.masked_weights);
  weights.check_gaps();
}

// All rows, in two calls, as different threads make them.
template <class Scalar>
void check_layout(Kernels<Scalar> const& kernels, Case<Scalar> const& of,
                  Operand<Scalar> const& logits, Layout const& layout, int64_t first_part,
                  bool streams) {
  Operand<Scalar> weights(of.shape, layout, unwritten<Scalar>());
  auto geometry = geometry_of<2>(of.shape, {layout, logits.layout()}, of.full_length);
  int64_t offsets[2] = {};
  int64_t const first =
      streams ? prepend_rows(geometry, int64_t{sizeof(Scalar)}, offsets) : int64_t{0};
  Scalar* const destination = weights.data() + offsets[0];
  Scalar const* const source = logits.data() + offsets[1];
  kernels.forward(of.alpha, geometry, destination, source, of.k, first, first + first_part);
  kernels.forward(of.alpha, geometry, destination, source, of.k, first + first_part,
                  first + of.shape.rows());
  check_same_bits("rows together", weights.gather(), of.weights);
  weights.check_gaps();
}

template <class Scalar>
void check_parts(Kernels<Scalar> const& kernels, Case<Scalar> const& of, int64_t parts) {
  auto const in_order = [](int64_t count, void (*task)(void*, int64_t), void* context) {
    for (int64_t i = 0; i < count; ++i) task(context, i);
  };
  for (int64_t row = 0; row < of.shape.rows(); ++row) {
    auto const logits = row_of(of.logits, row, of.shape.length);
    std::vector<Scalar> weights(logits.size(), unwritten<Scalar>());
    kernels.forward_split(of.alpha, weights.data(), logits.data(), of.shape.length, of.k, parts,
                          in_order);
    check_same_bits("a row in parts", weights, row_of(of.weights, row, of.shape.length));
  }
}

template <class Scalar>
void check_with_support(Kernels<Scalar> const& kernels, Case<Scalar> const& of,
                        Operand<Scalar> const& logits, Layout const& layout) {
  Operand<Scalar> weights(of.shape, layout, unwritten<Scalar>());
  Shape const support_shape{of.shape.outer, 1 + of.capacity(), of.shape.inner};
  Operand<int32_t> support(support_shape, dense_layout(support_shape), -7);
  auto const geometry =
      geometry_of<3>(of.shape, {layout, logits.layout(), support.layout()}, of.shape.length);
  kernels.forward_with_support(of.alpha, geometry, weights.data(), logits.data(), support.data(),
                               of.k, 0, of.shape.rows());
  check_same_bits("rows with their support", weights.gather(), of.weights);
  weights.check_gaps();
  auto const supports = support.gather();
  for (int64_t row = 0; row < of.shape.rows(); ++row) {
    auto const expected = support_of(widened_row(of.weights, row, of.shape.length), of.capacity());
    if (row_of(supports, row, support_shape.length) != expected) fail("the support of row ", row);
  }
}

// What is written of a row without the zeros.
template <class Scalar>
void check_compact(Kernels<Scalar> const& kernels, Case<Scalar> const& of,
                   Operand<Scalar> const& logits, Layout const& layout, int64_t first_part) {
  Shape const shape{of.shape.outer, of.capacity(), of.shape.inner};
  Operand<Scalar> values(shape, layout, unwritten<Scalar>());
  Operand<int64_t> indices(shape, layout, -7);
  auto const geometry = geometry_of<3>(of.shape, {layout, logits.layout(), layout}, of.full_length);
  kernels.forward_compact(of.alpha, geometry, values.data(), logits.data(), indices.data(), of.k, 0,
                          first_part);
  kernels.forward_compact(of.alpha, geometry, values.data(), logits.data(), indices.data(), of.k,
                          first_part, of.shape.rows());
  values.check_gaps();
  indices.check_gaps();
  if (indices.gather() != of.compact_columns) fail("the indices of the compact form");
  check_same_bits("compact rows", values.gather(), of.compact_weights);
}

// The k largest entries of each part of a row, as several processes exchange them, have the weights
// that they have in the row.
template <class Scalar>
void check_candidates(Case<Scalar> const& of, int64_t parts, int64_t row) {
  auto const logits = row_of(of.logits, row, of.shape.length);
  auto const weights = row_of(of.weights, row, of.shape.length);
  std::vector<Scalar> candidates;
  std::vector<Scalar> expected;
  for (int64_t part = 0; part < parts; ++part) {
    int64_t const first = of.shape.length * part / parts;
    Shape const shape{1, of.shape.length * (part + 1) / parts - first, 1};
    if (shape.length == 0) continue;
    auto const entries =
        std::vector<Scalar>(logits.begin() + first, logits.begin() + first + shape.length);
    std::vector<int64_t> columns(static_cast<size_t>(std::min(of.k, shape.length)), -7);
    rowwise::cpu::largest(geometry_of<2>(shape, {dense_layout(shape), dense_layout(shape)}, 1),
                          columns.data(), entries.data(), static_cast<int64_t>(columns.size()), 0,
                          1);
    if (!are_largest(columns, widened_row(entries, 0, shape.length))) fail("not the largest");
    for (int64_t const column : columns) {
      candidates.push_back(logits[static_cast<size_t>(first + column)]);
      expected.push_back(weights[static_cast<size_t>(first + column)]);
    }
  }
  check_same_bits("candidates", weights_of_row(of, candidates), expected);
}

template <class Scalar>
void check_ways(Case<Scalar>& of, Operand<Scalar> const& logits, Layout const& layout,
                int64_t first_part, bool streams, int64_t parts) {
  Operand<Scalar> dense_logits(of.shape, dense_layout(of.shape), not_a_number<Scalar>());
  dense_logits.scatter(of.logits);
  find_weights(of);
  find_compact(of);
  find_masked(of, first_part);
  check_candidates(of, parts, first_part % of.shape.rows());
  for_each_capability<Scalar>(of.alpha, [&](Kernels<Scalar> const& kernels) {
    check_layout(kernels, of, logits, layout, first_part, streams);
    check_layout(kernels, of, dense_logits, dense_layout(of.shape), first_part, streams);
    check_compact(kernels, of, logits, layout, first_part);
    check_compact(kernels, of, dense_logits, dense_layout(of.shape), first_part);
    check_masked(kernels, of, logits, layout, first_part);
    check_masked(kernels, of, dense_logits, dense_layout(of.shape), first_part);
    if (of.full_length != of.shape.length) return;
    check_with_support(kernels, of, logits, layout);
    if (of.shape.length >= 64 * parts) check_parts(kernels, of, parts);
  });
}

template <class Scalar>
void check_forward(Input& input, double alpha) {
  Case<Scalar> of;
  of.alpha = alpha;
  of.shape = any_shape(input);
  bool const is_small = input.ConsumeIntegralInRange(0, 7) != 0;
  of.k = input.ConsumeIntegralInRange<int64_t>(1, is_small ? of.shape.length + 1 : INT64_MAX);
  of.full_length = any_full_length(input, of.shape.length);
  auto const logit_layout = any_layout(input, of.shape, /*is_read=*/true);
  auto const weight_layout = any_layout(input, of.shape, /*is_read=*/false);
  int64_t const first_part = input.ConsumeIntegralInRange<int64_t>(0, of.shape.rows());
  bool const streams = input.ConsumeBool();
  int64_t const parts = input.ConsumeIntegralInRange<int64_t>(1, 7);

  Operand<Scalar> logits(of.shape, logit_layout, not_a_number<Scalar>());
  logits.scatter(any_rows<Scalar>(input, of.shape));
  of.logits = logits.gather();
  in_context([&] { check_ways(of, logits, weight_layout, first_part, streams, parts); },
             "k = ", of.k, ", full length = ", of.full_length, ", ", of.shape);
}

}  // namespace
}  // namespace zeta::fuzz

extern "C" int LLVMFuzzerTestOneInput(uint8_t const* data, size_t size) {
  zeta::fuzz::Input input(data, size);
  zeta::fuzz::with_any_scalar_and_alpha(input, [&](auto zero, char const* dtype, double alpha) {
    zeta::fuzz::in_context([&] { zeta::fuzz::check_forward<decltype(zero)>(input, alpha); }, dtype,
                           ", alpha = ", alpha);
  });
  return 0;
}
