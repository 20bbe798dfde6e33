#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "mappings/sparse_softmax.h"
#include "row_reference.h"
#include "rowwise/cpu/sparse_softmax.h"
#include "rowwise/cuda/launch.cuh"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"
#include "simt/guarded_array.h"

// The CUDA kernels, run on the CPU.
namespace zeta::rowwise {
namespace {

using mappings::SparseSoftmax;
using simt::GuardedArray;
using simt::Stream;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

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

double normal(Random& random, double scale) {
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
  kNormalThousandth,
  kEqual,
  kTies,
  kAscending,
  kDescending,
  kMasked,
  kSignedZeros,
  kHuge,
  kHugeMasks,
  kAllMasked,
  kOneInfinity,
  kOneNaN,
  kOneNegativeNaN,
  kCount
};

double logit_of(Logits family, int64_t column, int64_t length, double largest, Random& random) {
  switch (family) {
    case Logits::kNormal5:
      return normal(random, 5);
    case Logits::kNormalTenth:
      return normal(random, 0.1);
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
  if (family == Logits::kMasked) one = narrow<Scalar>(0);
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

// Rows in memory of exactly their size. What lies between their entries is NaN.
template <class Scalar>
struct Operand {
  Operand(int64_t rows, int64_t length, int64_t step)
      : stride(step),
        row_stride(length * step + (step > 1 ? 5 : 0)),
        memory(static_cast<size_t>((rows - 1) * row_stride + (length - 1) * stride + 1),
               nan_with_sign_bit<Scalar>()) {}

  Scalar& at(int64_t row, int64_t column) {
    return memory[static_cast<size_t>(row * row_stride + column * stride)];
  }

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
  int64_t row_stride;
  GuardedArray<Scalar> memory;
};

template <class Scalar, class... Others>
auto geometry_of(int64_t rows, int64_t length, Operand<Scalar> const& first,
                 Others const&... others) {
  RowGeometryBuilder<1 + sizeof...(Others)> builder;
  builder.set_row(length, {first.stride, others.stride...});
  builder.add_batch_dimension(rows, {first.row_stride, others.row_stride...});
  return builder.build();
}

bool same_number(Float16 a, Float16 b) { return a.bits == b.bits; }
bool same_number(BFloat16 a, BFloat16 b) { return a.bits == b.bits; }
template <class Real>
bool same_number(Real a, Real b) {
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
int64_t first_error(std::vector<double> const& row, std::vector<long double> const& expected,
                    long double tolerance) {
  for (size_t column = 0; column < row.size(); ++column) {
    bool const is_right = std::isnan(expected[column])
                              ? std::isnan(row[column])
                              : std::abs(row[column] - expected[column]) <= tolerance;
    if (!is_right) return static_cast<int64_t>(column);
  }
  return -1;
}

// A launch with fewer blocks than the rows need, so that groups go on to a second row.
template <class Group, int Operands, class... Parameters>
void launch_few_blocks(void (*kernel)(RowGeometry<Operands>, Parameters...), Stream const& stream,
                       RowGeometry<Operands> const& geometry,
                       std::type_identity_t<Parameters>... arguments) {
  constexpr int kGroups = cuda::groups_per_block(Group::kThreads);
  int64_t const blocks = (geometry.rows + 2 * kGroups - 1) / (2 * kGroups);
  cudaLaunchConfig_t const config = {dim3(static_cast<unsigned>(blocks)),
                                     dim3(Group::kThreads, kGroups), 0, &stream};
  ASSERT_EQ(cudaLaunchKernelEx(&config, kernel, geometry, arguments...), cudaSuccess);
}

// A number of rows that no number of groups in a block divides.
constexpr int64_t kRows = static_cast<int64_t>(Logits::kCount) + 3;

struct Case {
  int64_t length;
  int64_t k;
  uint64_t seed;

  Stream stream() const {
    return {.seed = seed, .resident_blocks = 1 + static_cast<int>(seed % 3)};
  }
  int64_t step(int operand) const { return (seed >> operand) % 4 == 0 ? 3 : 1; }
};

// Many threads take long on the CPU, so large groups get a part of the cases.
std::vector<Case> cases(int threads) {
  std::vector<Case> result;
  uint64_t const every = std::max<uint64_t>(1, static_cast<uint64_t>(threads) / 64);
  uint64_t seed = 0;
  for (int64_t length :
       {1, 2, 31, 32, 33, 63, 64, 65, 127, 129, 511, 513, 1023, 1024, 1025, 2049, 5000}) {
    std::set<int64_t> ks = {1, 2, 3, 31, 32, 33, length - 1, length, length + 1};
    if (length > 3000) ks = {3, 33, length - 1};
    for (int64_t k : ks) {
      if (k < 1) continue;
      ++seed;
      if (seed % every == 0) result.push_back({length, k, seed});
    }
  }
  return result;
}

std::string text(Case const& one) {
  return "length " + std::to_string(one.length) + ", k " + std::to_string(one.k) + ", seed " +
         std::to_string(one.seed);
}

template <class Scalar>
void fill_logits(Operand<Scalar>& logits, Case const& one) {
  Random random(one.seed);
  for (int64_t row = 0; row < kRows; ++row) {
    auto const family = static_cast<Logits>(row % static_cast<int64_t>(Logits::kCount));
    logits.set_row(row, logits_of<Scalar>(family, one.length, random));
  }
}

template <class Scalar, class Launch>
void check_forward(Case const& one, Launch const& launch) {
  Operand<Scalar> logits(kRows, one.length, one.step(1));
  fill_logits(logits, one);
  Operand<Scalar> weights(kRows, one.length, one.step(0));
  Operand<Scalar> expected(kRows, one.length, one.step(0));
  auto const geometry = geometry_of(kRows, one.length, weights, logits);

  launch(geometry, weights.memory.data(), logits.memory.data());
  cpu::sparse_softmax(geometry, expected.memory.data(), logits.memory.data(), one.k, 0, kRows);
  ASSERT_EQ(first_difference(weights, expected), -1) << text(one);
  for (int64_t row = 0; row < kRows; ++row) {
    auto const reference = reference::forward_row(logits.row(row, one.length), one.k);
    ASSERT_EQ(first_error(weights.row(row, one.length), reference, kRoundingError<Scalar>), -1)
        << text(one) << ", row " << row;
  }
}

template <class Scalar, class Launch>
void check_backward(Case const& one, Launch const& launch) {
  Random random(one.seed);
  Operand<Scalar> logits(kRows, one.length, one.step(1));
  fill_logits(logits, one);
  Operand<Scalar> weights(kRows, one.length, one.step(2));
  cpu::sparse_softmax(geometry_of(kRows, one.length, weights, logits), weights.memory.data(),
                      logits.memory.data(), one.k, 0, kRows);
  Operand<Scalar> grad_weights(kRows, one.length, one.step(3));
  for (int64_t row = 0; row < kRows; ++row) {
    auto const number = static_cast<uint64_t>(row) + one.seed;
    auto const family = static_cast<Gradients>(number % static_cast<uint64_t>(Gradients::kCount));
    grad_weights.set_row(row, gradients_of<Scalar>(family, one.length, random));
  }
  Operand<Scalar> grad_logits(kRows, one.length, one.step(0));
  Operand<Scalar> expected(kRows, one.length, one.step(0));
  auto const geometry = geometry_of(kRows, one.length, grad_logits, grad_weights, weights);

  launch(geometry, grad_logits.memory.data(), grad_weights.memory.data(), weights.memory.data());
  cpu::sparse_softmax_backward(geometry, expected.memory.data(), grad_weights.memory.data(),
                               weights.memory.data(), 0, kRows);
  ASSERT_EQ(first_difference(grad_logits, expected), -1) << text(one);
  for (int64_t row = 0; row < kRows; ++row) {
    auto const gradients = grad_weights.row(row, one.length);
    long double largest = 0;
    for (double gradient : gradients) {
      largest = std::isfinite(gradient) ? std::max<long double>(largest, std::abs(gradient))
                                        : std::numeric_limits<long double>::infinity();
    }
    if (std::isinf(largest)) continue;  // inf - inf and the like are left to the CPU's result
    auto const reference = reference::backward_row(gradients, weights.row(row, one.length));
    long double const tolerance = 4 * kRoundingError<Scalar> * largest + kSmallest<Scalar>;
    ASSERT_EQ(first_error(grad_logits.row(row, one.length), reference, tolerance), -1)
        << text(one) << ", row " << row;
  }
}

template <class Scalar_, class Group_>
struct Kernel {
  using Scalar = Scalar_;
  using Group = Group_;
};

template <class Kernel>
class CudaKernels : public testing::Test {};

using Warp = cuda::Warp;
using SmallBlock = cuda::Block<128>;
using LargeBlock = cuda::Block<cuda::kThreadsPerLongRow>;
using Kernels =
    testing::Types<Kernel<float, Warp>, Kernel<float, SmallBlock>, Kernel<float, LargeBlock>,
                   Kernel<double, Warp>, Kernel<double, SmallBlock>, Kernel<double, LargeBlock>,
                   Kernel<Float16, Warp>, Kernel<Float16, SmallBlock>, Kernel<Float16, LargeBlock>,
                   Kernel<BFloat16, Warp>, Kernel<BFloat16, SmallBlock>,
                   Kernel<BFloat16, LargeBlock>>;

struct KernelName {
  template <class Kernel>
  static std::string GetName(int) {
    using Scalar = typename Kernel::Scalar;
    std::string const scalar = std::is_same_v<Scalar, float>     ? "float"
                               : std::is_same_v<Scalar, double>  ? "double"
                               : std::is_same_v<Scalar, Float16> ? "float16"
                                                                 : "bfloat16";
    int const threads = Kernel::Group::kThreads;
    return scalar + (threads == Warp::kThreads ? "_warp" : "_block_of_" + std::to_string(threads));
  }
};

TYPED_TEST_SUITE(CudaKernels, Kernels, KernelName);

TYPED_TEST(CudaKernels, ForwardEqualsTheCpuAndTheReference) {
  using Scalar = typename TypeParam::Scalar;
  using Group = typename TypeParam::Group;
  for (auto const& one : cases(Group::kThreads)) {
    check_forward<Scalar>(one, [&](auto const& geometry, Scalar* weights, Scalar const* logits) {
      launch_few_blocks<Group>(cuda::forward_kernel<SparseSoftmax, Group, Scalar>, one.stream(),
                               geometry, weights, logits, one.k);
    });
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(CudaKernels, BackwardEqualsTheCpuAndTheReference) {
  using Scalar = typename TypeParam::Scalar;
  using Group = typename TypeParam::Group;
  for (auto const& one : cases(Group::kThreads)) {
    check_backward<Scalar>(one, [&](auto const& geometry, Scalar* grad_logits,
                                    Scalar const* grad_weights, Scalar const* weights) {
      launch_few_blocks<Group>(cuda::backward_kernel<SparseSoftmax, Group, Scalar>, one.stream(),
                               geometry, grad_logits, grad_weights, weights);
    });
    if (this->HasFatalFailure()) return;
  }
}

template <class Scalar>
class CudaLaunch : public testing::Test {};
using Scalars = testing::Types<float, double, Float16, BFloat16>;
TYPED_TEST_SUITE(CudaLaunch, Scalars);

// As the library launches them, on many schedules.
TYPED_TEST(CudaLaunch, GivesTheSameOnEverySchedule) {
  for (int64_t length : {100, 1100}) {
    for (int64_t k : {3, 80}) {
      for (uint64_t seed = 0; seed < (length == 100 ? 12 : 4); ++seed) {
        Case const one = {length, k, seed};
        Stream const stream = one.stream();
        check_forward<TypeParam>(
            one, [&](auto const& geometry, TypeParam* weights, TypeParam const* logits) {
              ASSERT_EQ(cuda::launch_forward<SparseSoftmax>(geometry, weights, logits, k, &stream),
                        cudaSuccess);
            });
        check_backward<TypeParam>(
            one, [&](auto const& geometry, TypeParam* grad_logits, TypeParam const* grad_weights,
                     TypeParam const* weights) {
              ASSERT_EQ(cuda::launch_backward<SparseSoftmax>(geometry, grad_logits, grad_weights,
                                                             weights, &stream),
                        cudaSuccess);
            });
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace zeta::rowwise
