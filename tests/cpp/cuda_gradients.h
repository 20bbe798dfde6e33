#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda_rows.h"
#include "rowwise/cpu/entmax.h"
#include "rowwise/cuda/backward/plan.h"
#include "rowwise/cuda/shape.h"

// Gradients for the tests that run CUDA kernels of the backward on the CPU.
namespace zeta::rowwise::cuda_rows {

using cuda::BackwardRegime;

constexpr char const* name_of(BackwardRegime regime) {
  switch (regime) {
    case BackwardRegime::kStages:
      return "stages";
    case BackwardRegime::kLanes:
      return "lanes";
    case BackwardRegime::kListed:
      return "listed";
    case BackwardRegime::kColumns:
      return "columns";
    default:
      return "passes";
  }
}

// How the rows of operands lie.
enum class Lie {
  kDense,      // one after another, from a multiple of 16 bytes on
  kLoose,      // one after another, from anywhere
  kApart,      // each without gaps, but for what lies between rows
  kWithGaps,   // with gaps between entries
  kSideBySide  // neighbours in memory where entries of a row are not
};

constexpr Layout layout_of(Lie lie, int64_t rows, int64_t length) {
  switch (lie) {
    case Lie::kDense:
      return contiguous(length);
    case Lie::kLoose:
      return {1, length, 3};
    case Lie::kApart:
      return {1, length + 1, 1};
    case Lie::kWithGaps:
      return with_gaps(length);
    default:
      return side_by_side(rows);
  }
}

struct BackwardCase {
  int64_t rows;
  int64_t length;
  int64_t k;
  uint64_t seed;
  Lie result = Lie::kDense;
  Lie grads = Lie::kDense;
  Lie source = Lie::kDense;
  // Of the rows that these are some entries of.
  int64_t full_length = 0;
  double alpha = 2;

  Case logits() const { return {cuda::Regime::kPasses, rows, length, k, seed}; }
  simt::Stream stream() const { return logits().stream(); }
  std::string text() const {
    return std::to_string(rows) + " rows of " + std::to_string(length) + ", k " +
           std::to_string(k) + ", seed " + std::to_string(seed) + ", layouts " +
           std::to_string(static_cast<int>(result)) + std::to_string(static_cast<int>(grads)) +
           std::to_string(static_cast<int>(source)) + ", alpha " + std::to_string(alpha);
  }
  Layout layout(Lie lie) const { return layout_of(lie, rows, length); }
};

// A gradient and what it is a gradient of.
template <class Scalar>
struct Given {
  explicit Given(BackwardCase const& one)
      : weights(one.rows, one.length, one.layout(one.source)),
        grads(one.rows, one.length, one.layout(one.grads)),
        support(one.rows, std::min(one.k, one.length)) {
    Random random(one.seed);
    Operand<Scalar> logits(one.rows, one.length, contiguous(one.length));
    fill_logits(logits, one.logits(), random);
    for (int64_t row = 0; row < one.rows; ++row) {
      auto const number = static_cast<uint64_t>(row) + one.seed;
      auto const family = static_cast<Gradients>(number % static_cast<uint64_t>(Gradients::kCount));
      grads.set_row(row, gradients_of<Scalar>(family, one.length, random));
    }
    cpu::entmax_with_support(one.alpha, geometry_of(one.rows, one.length, weights, logits, support),
                             weights.data(), logits.data(), support.memory.data(), one.k, 0,
                             one.rows);
    // What stands behind the columns is not to matter.
    int64_t const capacity = std::min(one.k, one.length);
    for (int64_t row = 0; row < one.rows; row += 2) {
      int32_t* const columns = support.memory.data() + row * support.row_stride;
      for (int64_t i = std::max(columns[0], 0); i < capacity; ++i) columns[1 + i] = 0;
    }
  }

  Operand<Scalar> weights;
  Operand<Scalar> grads;
  Supports support;
};

// What the CPU gives.
template <class Scalar>
struct Expected : Operand<Scalar> {
  Expected(BackwardCase const& one, Given<Scalar>& given)
      : Operand<Scalar>(one.rows, one.length, one.layout(one.result)) {
    auto geometry = geometry_of(one.rows, one.length, *this, given.grads, given.weights);
    if (one.full_length > 0) geometry.full_length = one.full_length;
    cpu::entmax_backward(one.alpha, geometry, this->data(), given.grads.data(),
                         given.weights.data(), 0, one.rows);
  }
};

}  // namespace zeta::rowwise::cuda_rows
