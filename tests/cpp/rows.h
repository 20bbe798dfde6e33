#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "rowwise/cpu/entmax.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

// What the tests of the CPU engine's passes share.
namespace zeta::rowwise {

inline constexpr double kAlpha = 2;  // of the sparse softmax

using Scalars = testing::Types<float, double, Float16, BFloat16>;

// Half a unit in the last place of 1.
template <class Scalar>
constexpr double kTolerance = 0;
template <>
constexpr double kTolerance<float> = 0x1p-24;
template <>
constexpr double kTolerance<double> = 0x1p-52;
template <>
constexpr double kTolerance<Float16> = 0x1p-11;
template <>
constexpr double kTolerance<BFloat16> = 0x1p-8;

inline RowGeometry<2> contiguous_rows(int64_t rows, int64_t length) {
  RowGeometryBuilder<2> builder;
  builder.set_row(length, {1, 1});
  builder.add_batch_dimension(rows, {length, length});
  return builder.build();
}

template <class Scalar>
inline std::vector<Scalar> normal_row(int64_t length, double scale, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0, scale);
  std::vector<Scalar> row;
  for (int64_t column = 0; column < length; ++column) row.push_back(narrow<Scalar>(normal(random)));
  return row;
}

// The weights of one contiguous row.
template <class Scalar>
inline std::vector<Scalar> forward(std::vector<Scalar> const& logits, int64_t k) {
  auto const length = static_cast<int64_t>(logits.size());
  std::vector<Scalar> weights(logits.size(), narrow<Scalar>(-7));
  cpu::entmax(kAlpha, contiguous_rows(1, length), weights.data(), logits.data(), k, 0, 1);
  return weights;
}

template <class Scalar>
inline std::vector<double> widened(std::vector<Scalar> const& row) {
  std::vector<double> result;
  for (Scalar const number : row) result.push_back(widen(number));
  return result;
}

}  // namespace zeta::rowwise
