#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "kernels.h"
#include "rows.h"

// Every architecture and instruction set gives the same bits. The numbers come from integers alone,
// so that no library of a machine has a part in them.
namespace zeta::rowwise {

namespace {

// SplitMix64.
class Integers {
 public:
  uint64_t next() {
    uint64_t x = state_ += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }

  // Of (-2, 2), mostly near 0, in units of 2^-47.
  double bell() {
    int64_t sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<int64_t>(next()) >> 17;
    return static_cast<double>(sum) * 0x1p-47;
  }

 private:
  uint64_t state_ = 0;
};

enum class Family { kWide, kUnit, kNarrow, kNarrowest, kTies, kAscending, kMasked, kAnyBits };
constexpr int kFamilies = 8;

template <class Scalar>
Scalar number_of(Family family, int64_t column, Integers& integers) {
  double const minus_infinity = -std::numeric_limits<double>::infinity();
  switch (family) {
    case Family::kWide:
      return narrow<Scalar>(integers.bell() * 8);
    case Family::kUnit:
      return narrow<Scalar>(integers.bell());
    case Family::kNarrow:
      return narrow<Scalar>(integers.bell() / 16);
    case Family::kNarrowest:
      return narrow<Scalar>(integers.bell() / 4096);
    case Family::kTies:
      return narrow<Scalar>(static_cast<double>(integers.next() % 5) / 8 - 0.25);
    case Family::kAscending:
      return narrow<Scalar>(static_cast<double>(column) / 4096);
    case Family::kMasked:
      return narrow<Scalar>(integers.next() % 3 == 0 ? integers.bell() : minus_infinity);
    case Family::kAnyBits:
      break;
  }
  uint64_t const bits = integers.next();
  Scalar result;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

// FNV-1a.
class Digest {
 public:
  template <class Scalar>
  void add(std::vector<Scalar> const& numbers) {
    for (Scalar const number : numbers) {
      // Which of the NaNs an operation gives is the processor's choice.
      bool const is_nan = widen(number) != widen(number);
      add_bytes(is_nan ? narrow<Scalar>(std::numeric_limits<double>::quiet_NaN()) : number);
    }
  }
  void add(std::vector<int32_t> const& columns) {
    for (int32_t const column : columns) add_bytes(column);
  }

  uint64_t value() const { return value_; }

 private:
  template <class Number>
  void add_bytes(Number number) {
    std::array<unsigned char, sizeof(Number)> bytes;
    std::memcpy(bytes.data(), &number, sizeof(number));
    for (unsigned char const byte : bytes) value_ = (value_ ^ byte) * 0x100000001b3;
  }

  uint64_t value_ = 0xcbf29ce484222325;
};

struct Digests {
  std::string text() const {
    std::ostringstream stream;
    stream << std::hex << weights.value() << ' ' << support.value() << ' ' << gradients.value();
    return stream.str();
  }

  Digest weights;
  Digest support;
  Digest gradients;
};

// Rows in columns are `rows` apart, others contiguous.
template <int Operands>
RowGeometry<Operands> geometry_of(int64_t rows, int64_t length, bool in_columns) {
  std::array<int64_t, Operands> stride;
  std::array<int64_t, Operands> row_stride;
  stride.fill(in_columns ? rows : 1);
  row_stride.fill(in_columns ? 1 : length);
  RowGeometryBuilder<Operands> builder;
  builder.set_row(length, stride);
  builder.add_batch_dimension(rows, row_stride);
  return builder.build();
}

template <class Scalar>
class Bits : public testing::Test {
 protected:
  using Kernels = cpu::Kernels<Scalar>;
  using Row = std::vector<Scalar>;

  static Digests digests_of(Kernels const& kernels) {
    Digests digests;
    Integers integers;
    for (int64_t length : {1, 2, 7, 8, 16, 25, 33, 100, 257, 513, 1025, 5000, 20000}) {
      int64_t const rows = length <= 100 ? 37 : length <= 513 ? 9 : 2;
      for (int family = 0; family < kFamilies; ++family) {
        Row logits;
        Row gradients;
        for (int64_t i = 0; i < rows * length; ++i) {
          logits.push_back(number_of<Scalar>(static_cast<Family>(family), i % length, integers));
          gradients.push_back(number_of<Scalar>(static_cast<Family>((family + 1) % kFamilies),
                                                i % length, integers));
        }
        for (int64_t k : {int64_t{1}, int64_t{3}, int64_t{4}, int64_t{20}, length}) {
          add_rows(kernels, logits, gradients, rows, length, k, digests);
        }
      }
    }
    return digests;
  }

 private:
  static void add_rows(Kernels const& kernels, Row const& logits, Row const& gradients,
                       int64_t rows, int64_t length, int64_t k, Digests& digests) {
    Row result(logits.size());
    for (bool in_columns : {false, true}) {
      auto const two = geometry_of<2>(rows, length, in_columns);
      auto const three = geometry_of<3>(rows, length, in_columns);
      Row weights(logits.size());
      kernels.forward(kAlpha, two, weights.data(), logits.data(), k, 0, rows);
      digests.weights.add(weights);
      kernels.backward(kAlpha, three, result.data(), gradients.data(), weights.data(), 0, rows);
      digests.gradients.add(result);
    }
    int64_t const capacity = std::min(k, length);
    std::vector<int32_t> support(static_cast<size_t>(rows * (1 + capacity)));
    RowGeometryBuilder<3> builder;
    builder.set_row(length, {1, 1, 1});
    builder.add_batch_dimension(rows, {length, length, 1 + capacity});
    kernels.forward_with_support(kAlpha, builder.build(), result.data(), logits.data(),
                                 support.data(), k, 0, rows);
    digests.weights.add(result);
    digests.support.add(support);
    RowGeometryBuilder<4> of_backward;
    of_backward.set_row(length, {1, 1, 1, 1});
    of_backward.add_batch_dimension(rows, {length, length, 0, 1 + capacity});
    kernels.support_backward(kAlpha, of_backward.build(), result.data(), gradients.data(), nullptr,
                             support.data(), capacity, 0, rows);
    digests.gradients.add(result);
    if (length < 1024) return;
    kernels.forward_split(kAlpha, result.data(), logits.data(), length, k, 3,
                          [](int64_t count, void (*task)(void*, int64_t), void* context) {
                            for (int64_t i = 0; i < count; ++i) task(context, i);
                          });
    digests.weights.add(result);
  }
};
TYPED_TEST_SUITE(Bits, Scalars);

// A failure's text says what they are now.
template <class Scalar>
constexpr char const* kExpected = nullptr;
template <>
constexpr char const* kExpected<float> = "63faf4888d27a53f 302070d912657fcc 177066853be7b023";
template <>
constexpr char const* kExpected<double> = "7d41339a67d4e60b 8b299b802931a8f8 d33505ae1bad84c3";
template <>
constexpr char const* kExpected<Float16> = "66435fcd6c548a21 545f4691d10eb19 126f6929f7e4c2ff";
template <>
constexpr char const* kExpected<BFloat16> = "98535f60a9f8e32a 250abff431cac219 42c750a993430df5";

// As a thread's that a small stack is given, as musl, OMP_STACKSIZE and pools of threads do.
template <class Function>
void run_on_stack(size_t bytes, Function function) {
  auto const call = [](void* context) -> void* {
    (*static_cast<Function*>(context))();
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_t thread;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, bytes), 0);
  ASSERT_EQ(pthread_create(&thread, &attributes, call, &function), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
}

TYPED_TEST(Bits, NeedNoLargeStack) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer makes frames larger";
#endif
  for (auto const& kernels : kernels_of_this_machine<TypeParam>(kAlpha)) {
    run_on_stack(32 << 10,
                 [&] { EXPECT_EQ(this->digests_of(kernels).text(), kExpected<TypeParam>); });
  }
}

TYPED_TEST(Bits, AreThoseOfEveryMachine) {
  for (auto const& kernels : kernels_of_this_machine<TypeParam>(kAlpha)) {
    EXPECT_EQ(this->digests_of(kernels).text(), kExpected<TypeParam>);
  }
}

}  // namespace
}  // namespace zeta::rowwise
