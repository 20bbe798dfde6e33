#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "rowwise/cuda/forward/plan.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"
#include "simt/guarded_array.h"
#include "simt/types.h"

// Rows for the tests that run CUDA kernels on the CPU, and what is compared.
namespace zeta::rowwise::cuda_rows {

using simt::GuardedArray;

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class Scalar>
constexpr double kLargest = std::numeric_limits<Scalar>::max();
template <>
constexpr double kLargest<Float16> = 65504;
template <>
constexpr double kLargest<BFloat16> = 0x1.fep127;

template <class Scalar>
constexpr double kSmallest = std::numeric_limits<Scalar>::denorm_min();
template <>
constexpr double kSmallest<Float16> = 0x1p-24;
template <>
constexpr double kSmallest<BFloat16> = 0x1p-133;

// Of a number up to 1.
template <class Scalar>
constexpr double kRoundingError = std::numeric_limits<Scalar>::epsilon() / 2;
template <>
constexpr double kRoundingError<Float16> = 0x1p-11;
template <>
constexpr double kRoundingError<BFloat16> = 0x1p-8;

using Random = std::mt19937_64;

inline double normal(Random& random, double scale) {
  return std::normal_distribution<double>(0, scale)(random);
}

template <class Scalar>
Scalar nan_with_sign_bit() {
  auto result = narrow<Scalar>(std::numeric_limits<double>::quiet_NaN());
  std::array<unsigned char, sizeof(Scalar)> bytes;
  std::memcpy(bytes.data(), &result, sizeof(Scalar));
  bytes.back() |= 0x80;
  std::memcpy(&result, bytes.data(), sizeof(Scalar));
  return result;
}

// What is particular about a row.
enum class Logits {
  kNormal5,
  kNormal1,
  kNormalTenth,
  kNormalHundredth,
  kNormalThousandth,
  kEqual,
  kTies,
  kAscending,
  kDescending,
  kMasked,
  kMostlyMasked,
  kSignedZeros,
  kHuge,
  kHugeMasks,
  kAllMasked,
  kOneInfinity,
  kOneNaN,
  kOneNegativeNaN,
  kCount
};

inline double logit_of(Logits family, int64_t column, int64_t length, double largest,
                       Random& random) {
  switch (family) {
    case Logits::kNormal5:
      return normal(random, 5);
    case Logits::kNormalTenth:
      return normal(random, 0.1);
    case Logits::kNormalHundredth:
      return normal(random, 0.01);
    case Logits::kNormalThousandth:
      return normal(random, 0.001);
    case Logits::kEqual:
      return 0.25;
    case Logits::kTies:
      return 0x1p-10 * static_cast<double>(random() % 3);
    case Logits::kAscending:
      return 2.0 * static_cast<double>(column) / static_cast<double>(length);
    case Logits::kDescending:
      return -0.5 * static_cast<double>(column) / static_cast<double>(length);
    case Logits::kMasked:
      return random() % 3 == 0 ? normal(random, 0.1) : -kInfinity;
    case Logits::kMostlyMasked:
      return random() % 50 == 0 ? normal(random, 1) : -kInfinity;
    case Logits::kSignedZeros:
      return random() % 2 == 0 ? 0.0 : -0.0;
    case Logits::kHuge:
      return random() % 2 == 0 ? largest : -largest;
    case Logits::kHugeMasks:
      return random() % 2 == 0 ? normal(random, 0.01) : -largest;
    case Logits::kAllMasked:
      return -kInfinity;
    default:
      return normal(random, 1);
  }
}

template <class Scalar>
std::vector<Scalar> logits_of(Logits family, int64_t length, Random& random) {
  std::vector<Scalar> row;
  for (int64_t column = 0; column < length; ++column) {
    row.push_back(narrow<Scalar>(logit_of(family, column, length, kLargest<Scalar>, random)));
  }
  Scalar& one = row[random() % row.size()];
  if (family == Logits::kMasked || family == Logits::kMostlyMasked) one = narrow<Scalar>(0);
  if (family == Logits::kOneInfinity) one = narrow<Scalar>(kInfinity);
  if (family == Logits::kOneNaN) one = narrow<Scalar>(std::numeric_limits<double>::quiet_NaN());
  if (family == Logits::kOneNegativeNaN) one = nan_with_sign_bit<Scalar>();
  return row;
}

enum class Gradients { kNormal, kEqual, kZero, kLarge, kTiny, kOneInfinity, kNaN, kCount };

template <class Scalar>
std::vector<Scalar> gradients_of(Gradients family, int64_t length, Random& random) {
  std::vector<Scalar> row;
  for (int64_t column = 0; column < length; ++column) {
    double gradient = normal(random, 1);
    if (family == Gradients::kEqual) gradient = 0.1;
    if (family == Gradients::kZero) gradient = 0;
    if (family == Gradients::kLarge) gradient *= kLargest<Scalar> / 64;
    if (family == Gradients::kTiny) gradient *= 1 / kLargest<Scalar>;
    if (family == Gradients::kNaN && random() % 4 == 0) gradient = std::nan("");
    row.push_back(narrow<Scalar>(gradient));
  }
  if (family == Gradients::kOneInfinity) {
    row[random() % row.size()] = narrow<Scalar>(random() % 2 == 0 ? kInfinity : -kInfinity);
  }
  return row;
}

// How rows lie in memory, in elements.
struct Layout {
  int64_t stride;      // between the entries of a row
  int64_t row_stride;  // between rows
  int64_t first = 0;   // where the first row begins
  // Rows that are row_stride apart in turn, and from the first of them to that of the next ones.
  int64_t neighbours = INT64_MAX;
  int64_t group_stride = 0;

  int64_t offset(int64_t row) const {
    return row / neighbours * group_stride + row % neighbours * row_stride;
  }
};

inline Layout contiguous(int64_t length) { return {1, length}; }
inline Layout with_gaps(int64_t length) { return {3, 3 * length + 5}; }
inline Layout side_by_side(int64_t rows) { return {rows + 2, 1}; }
inline Layout groups_side_by_side(int64_t neighbours, int64_t length) {
  return {neighbours + 2, 1, 0, neighbours, (neighbours + 2) * length + 4};
}

// Rows in memory of exactly their size. What lies between their entries is NaN.
template <class Scalar>
struct Operand {
  Operand(int64_t rows, int64_t length, Layout const& layout)
      : stride(layout.stride),
        layout(layout),
        memory(
            static_cast<size_t>(layout.first + layout.offset(rows - 1) + (length - 1) * stride + 1),
            nan_with_sign_bit<Scalar>()) {}

  Scalar* data() { return memory.data() + layout.first; }

  int64_t offset(int64_t row) const { return layout.offset(row); }
  Scalar& at(int64_t row, int64_t column) { return data()[offset(row) + column * stride]; }

  void set_row(int64_t row, std::vector<Scalar> const& values) {
    for (size_t column = 0; column < values.size(); ++column) {
      at(row, static_cast<int64_t>(column)) = values[column];
    }
  }

  std::vector<double> row(int64_t row, int64_t length) {
    std::vector<double> result;
    for (int64_t column = 0; column < length; ++column) result.push_back(widen(at(row, column)));
    return result;
  }

  int64_t stride;
  Layout layout;
  GuardedArray<Scalar> memory;
};

// Rows of every family for a kernel, and how it is run.
struct Case {
  cuda::Regime regime;
  int64_t rows;
  int64_t length;
  int64_t k;
  uint64_t seed;

  simt::Stream stream() const {
    return {.seed = seed, .resident_blocks = 1 + static_cast<int>(seed % 3)};
  }
  std::string text() const {
    return std::string(cuda::kRegimeNames[static_cast<size_t>(regime)]) + ", length " +
           std::to_string(length) + ", k " + std::to_string(k) + ", seed " + std::to_string(seed);
  }
};

template <class Scalar>
void fill_logits(Operand<Scalar>& logits, Case const& one, Random& random) {
  for (int64_t row = 0; row < one.rows; ++row) {
    auto const number = static_cast<uint64_t>(row) + one.seed;
    auto const family = static_cast<Logits>(number % static_cast<uint64_t>(Logits::kCount));
    logits.set_row(row, logits_of<Scalar>(family, one.length, random));
  }
}

// The supports of rows of at most `capacity` weights, which nobody has written yet.
struct Supports {
  Supports(int64_t rows, int64_t capacity)
      : row_stride(1 + capacity), memory(static_cast<size_t>(rows * row_stride), -7) {}

  int64_t offset(int64_t row) const { return row * row_stride; }

  static constexpr int64_t stride = 1;
  int64_t row_stride;
  GuardedArray<int32_t> memory;
};

// The first operand says which rows are neighbours.
template <class First, class... Others>
auto geometry_of(int64_t rows, int64_t length, First const& first, Others const&... others) {
  RowGeometryBuilder<1 + sizeof...(Others)> builder;
  builder.set_row(length, {first.stride, others.stride...});
  int64_t const neighbours = std::min(rows, first.layout.neighbours);
  builder.add_batch_dimension(neighbours, {first.offset(1), others.offset(1)...});
  if (neighbours < rows) {
    builder.add_batch_dimension(rows / neighbours,
                                {first.offset(neighbours), others.offset(neighbours)...});
  }
  return builder.build();
}

inline bool same_number(Float16 a, Float16 b) { return a.bits == b.bits; }
inline bool same_number(BFloat16 a, BFloat16 b) { return a.bits == b.bits; }
template <class Real>
inline bool same_number(Real a, Real b) {
  return std::memcmp(&a, &b, sizeof(Real)) == 0;
}

// The first difference in bits, gaps included, or -1. The processor leaves open which sign the NaN
// of a computation has.
template <class Scalar>
int64_t first_difference(Operand<Scalar> const& a, Operand<Scalar> const& b) {
  for (size_t i = 0; i < a.memory.size(); ++i) {
    if (std::isnan(widen(a.memory[i])) && std::isnan(widen(b.memory[i]))) continue;
    if (!same_number(a.memory[i], b.memory[i])) return static_cast<int64_t>(i);
  }
  return -1;
}

// The first column that is further from the reference than `tolerance`, or -1.
inline int64_t first_error(std::vector<double> const& row, std::vector<long double> const& expected,
                           long double tolerance) {
  for (size_t column = 0; column < row.size(); ++column) {
    bool const is_right = std::isnan(expected[column])
                              ? std::isnan(row[column])
                              : std::abs(row[column] - expected[column]) <= tolerance;
    if (!is_right) return static_cast<int64_t>(column);
  }
  return -1;
}

}  // namespace zeta::rowwise::cuda_rows
