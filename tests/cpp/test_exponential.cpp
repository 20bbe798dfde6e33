// Vectors wider than those of the instruction set are returned in memory, which GCC remarks on. All
// that returns them here is inlined.
#pragma GCC diagnostic ignored "-Wpsabi"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "mappings/exponential.h"
#include "mappings/logarithm.h"

// The exponential and the logarithms, against long double, which has 64 bits or more.
namespace zeta::mappings {
namespace {

static_assert(std::numeric_limits<long double>::digits >= 64);

using Doubles2 = double __attribute__((vector_size(16)));
using Doubles4 = double __attribute__((vector_size(32)));
using Doubles8 = double __attribute__((vector_size(64)));

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLeastArgument = -0x1.6232bdd7abcd2p+9;
constexpr double kTolerance = 0.7;

double neighbour_below(double x) { return std::nextafter(x, -kInfinity); }
double neighbour_above(double x) { return std::nextafter(x, kInfinity); }

// Uniform in [0, 1), by operations that give the same everywhere.
double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

// Uniform between two neighbouring powers of two, of which the larger one is at random from 1 down
// to above 2^-exponents. Two statements, since the order of two arguments is the compiler's.
double of_any_magnitude(std::mt19937_64& random, int exponents) {
  auto const exponent = static_cast<int>(random() % exponents);
  return std::ldexp(0.5 + uniform(random) / 2, -exponent);
}

// The x and what lies up to 100 doubles from it, within the limits.
void append_around(std::vector<double>& numbers, double x, double least, double most) {
  double below = x;
  double above = x;
  for (int distance = 0; distance <= 100; ++distance) {
    if (below >= least && below <= most) numbers.push_back(below);
    if (above >= least && above <= most) numbers.push_back(above);
    below = neighbour_below(below);
    above = neighbour_above(above);
  }
}

struct Exponential {
  template <class Doubles>
  static void apply(Doubles const& x, Doubles& result) {
    result = exponential(x);
  }
  static long double reference(double x) { return std::exp(static_cast<long double>(x)); }

  static constexpr bool kFalls = false;
  static constexpr uint64_t kDigest = 0x212d2a742e6233f3;

  static std::vector<double> arguments(std::mt19937_64& random) {
    std::vector<double> numbers{0, -0x1p-1074, kLeastArgument};
    for (int trial = 0; trial < 100000; ++trial) {
      numbers.push_back(kLeastArgument * uniform(random));
      numbers.push_back(-uniform(random));
      numbers.push_back(-of_any_magnitude(random, 1074));
    }
    // Where the reduction goes from one integer to the next, and where nothing is left of x.
    for (int twice_n = 0; twice_n < 2044; ++twice_n) {
      append_around(numbers, -0.5 * twice_n * 0x1.62e42fefa39efp-1, kLeastArgument, 0);
    }
    return numbers;
  }
};

struct Logarithm {
  template <class Doubles>
  static void apply(Doubles const& x, Doubles& result) {
    result = logarithm(x);
  }
  static long double reference(double x) { return std::log(static_cast<long double>(x)); }

  static constexpr bool kFalls = false;
  static constexpr uint64_t kDigest = 0x37d5ba01aef701bc;

  static std::vector<double> arguments(std::mt19937_64& random) {
    std::vector<double> numbers{1};
    for (int trial = 0; trial < 100000; ++trial) {
      numbers.push_back(0x1p-54 + uniform(random));
      numbers.push_back(1 - of_any_magnitude(random, 53));
      numbers.push_back(std::bit_cast<double>(1 + random() % std::bit_cast<uint64_t>(1.0)));
      numbers.push_back(std::bit_cast<double>(1 + random() % (uint64_t{1} << 52)));
    }
    for (int n = -1074; n <= 0; ++n) {
      append_around(numbers, std::ldexp(1.0, n), 0x1p-1074, 1);
      append_around(numbers, std::ldexp(detail::kLeastMantissa, n), 0x1p-1074, 1);
    }
    return numbers;
  }
};

struct LogarithmOfOneMinus {
  template <class Doubles>
  static void apply(Doubles const& x, Doubles& result) {
    result = logarithm_of_one_minus(x);
  }
  static long double reference(double x) { return std::log1p(-static_cast<long double>(x)); }

  static constexpr bool kFalls = true;
  static constexpr uint64_t kDigest = 0xa32228850d28cad2;

  static std::vector<double> arguments(std::mt19937_64& random) {
    double const most = 1 - 0x1p-53;
    std::vector<double> numbers{0, 0x1p-1074, 1e-300, 1e-155, most};
    for (int trial = 0; trial < 100000; ++trial) {
      numbers.push_back(uniform(random));
      numbers.push_back(1 - of_any_magnitude(random, 53));
      numbers.push_back(of_any_magnitude(random, 1074));
    }
    for (int n = -53; n <= 0; ++n) {
      append_around(numbers, 1 - std::ldexp(1.0, n), 0, most);
      append_around(numbers, 1 - std::ldexp(detail::kLeastMantissa, n), 0, most);
      append_around(numbers, std::ldexp(1.0, n), 0, most);
    }
    return numbers;
  }
};

template <class Function>
double applied(double x) {
  double result = 0;
  Function::apply(x, result);
  return result;
}

// How many units in the last place of `expected`, rounded down to a double, lie between both.
double units_between(double got, long double expected) {
  int exponent = 0;
  std::frexp(expected, &exponent);
  int const least = std::numeric_limits<double>::min_exponent;
  return static_cast<double>(std::ldexp(std::fabs(got - expected), 53 - std::max(exponent, least)));
}

template <class Function>
class Elementary : public testing::Test {
 protected:
  void SetUp() override { numbers_ = Function::arguments(random_); }

  template <class Vector>
  void expect_lanes_as_scalars() const {
    constexpr size_t kLanes = sizeof(Vector) / sizeof(double);
    for (size_t i = 0; i + kLanes <= numbers_.size(); i += kLanes) {
      Vector numbers;
      Vector results;
      for (size_t lane = 0; lane < kLanes; ++lane) numbers[lane] = numbers_[i + lane];
      Function::apply(numbers, results);
      for (size_t lane = 0; lane < kLanes; ++lane) {
        ASSERT_EQ(std::bit_cast<uint64_t>(double{results[lane]}),
                  std::bit_cast<uint64_t>(applied<Function>(numbers[lane])))
            << numbers[lane];
      }
    }
  }

  std::mt19937_64 random_{1};
  std::vector<double> numbers_;
};

using Functions = testing::Types<Exponential, Logarithm, LogarithmOfOneMinus>;
TYPED_TEST_SUITE(Elementary, Functions);

TYPED_TEST(Elementary, IsNextToTheExactResult) {
  double largest = 0;
  double at = 0;
  for (double const x : this->numbers_) {
    double const error = units_between(applied<TypeParam>(x), TypeParam::reference(x));
    if (error > largest) at = x;
    largest = std::max(largest, error);
  }
  EXPECT_LT(largest, kTolerance) << std::hexfloat << at;
}

TYPED_TEST(Elementary, IsMonotone) {
  for (double const x : this->numbers_) {
    double const other = TypeParam::kFalls ? neighbour_above(x) : neighbour_below(x);
    if (other >= 1 || (other <= 0 && x > 0)) continue;
    ASSERT_LE(applied<TypeParam>(other), applied<TypeParam>(x)) << std::hexfloat << x;
  }
}

TYPED_TEST(Elementary, HasTheSameBitsInLanes) {
  this->template expect_lanes_as_scalars<Doubles2>();
  this->template expect_lanes_as_scalars<Doubles4>();
  this->template expect_lanes_as_scalars<Doubles8>();
}

// These numbers are the same for any compiler, option and processor.
TYPED_TEST(Elementary, HasTheSameBitsEverywhere) {
  uint64_t digest = 0;
  for (double const x : this->numbers_) {
    digest = (digest ^ std::bit_cast<uint64_t>(applied<TypeParam>(x))) * 0x9e3779b97f4a7c15;
    digest ^= digest >> 32;
  }
  EXPECT_EQ(digest, TypeParam::kDigest);
}

TEST(Exponential, IsOneOfZeroAndNeverMore) {
  EXPECT_EQ(exponential(0.0), 1);
  EXPECT_EQ(exponential(-0.0), 1);
  std::mt19937_64 random(2);
  for (int trial = 0; trial < 100000; ++trial) {
    double const x = -of_any_magnitude(random, 60);
    ASSERT_LE(exponential(x), 1) << x;
  }
  for (double const x : {-0x1p-1074, -0x1p-1022, -0x1p-60, -0x1p-54}) {
    EXPECT_EQ(exponential(x), 1) << x;
  }
}

TEST(Exponential, IsZeroBelowTheNormalNumbers) {
  EXPECT_GE(exponential(kLeastArgument), detail::kLeastNormal);
  for (double const x : {neighbour_below(kLeastArgument), -709.0, -746.0, -1e6, -0x1p60,
                         -std::numeric_limits<double>::max(), -kInfinity}) {
    EXPECT_EQ(exponential(x), 0) << x;
    EXPECT_FALSE(std::signbit(exponential(x))) << x;
  }
}

TEST(Logarithm, IsZeroOfOneAndExactNextToIt) {
  EXPECT_EQ(logarithm(1.0), 0);
  EXPECT_FALSE(std::signbit(logarithm(1.0)));
  EXPECT_EQ(logarithm(1 - 0x1p-53), -0x1p-53);
}

TEST(Logarithm, TakesPowersOfTwo) {
  for (int n = -1074; n < 0; ++n) {
    long double const expected = n * 0x1.62e42fefa39ef35793c7673007e5p-1L;
    EXPECT_EQ(logarithm(std::ldexp(1.0, n)), static_cast<double>(expected)) << n;
  }
}

TEST(LogarithmOfOneMinus, KeepsTinyNumbers) {
  EXPECT_EQ(logarithm_of_one_minus(0.0), 0);
  for (double const x : {0x1p-1074, 0x1.23456789abcdep-1022, 1e-300, 1e-155, 0x1p-60}) {
    EXPECT_EQ(logarithm_of_one_minus(x), -x) << x;
  }
}

TEST(LogarithmOfOneMinus, IsThatOfADifferenceThatIsExact) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 100000; ++trial) {
    double const x = 0.5 + std::floor(0x1p52 * uniform(random)) * 0x1p-53;
    ASSERT_EQ(logarithm_of_one_minus(x), logarithm(1 - x)) << x;
  }
}

}  // namespace
}  // namespace zeta::mappings
