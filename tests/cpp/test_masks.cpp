#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../simt/guarded_array.h"
#include "kernels.h"
#include "rows.h"
#include "rowwise/mask.h"

// Rows of which a mask leaves entries out, against rows with -inf in place of these.
namespace zeta::rowwise {
namespace {

constexpr double kAlphas[] = {2, 1.5, 1, 1.25};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Random = std::mt19937_64;

template <class Scalar>
class Masks : public testing::Test {};
TYPED_TEST_SUITE(Masks, Scalars);

// Rows are numbered by batch: row = outer * kInner + inner.
constexpr int64_t kOuter = 5;
constexpr int64_t kInner = 21;
constexpr int64_t kRows = kOuter * kInner;

// Strides of the outer batch, the inner batch and the entries of a row.
struct Layout {
  int64_t outer;
  int64_t inner;
  int64_t column;

  int64_t at(int64_t row, int64_t i) const {
    return row / kInner * outer + row % kInner * inner + i * column;
  }
  int64_t extent(int64_t length) const { return at(kRows - 1, length - 1) + 1; }
};

Layout dense(int64_t length) { return {kInner * length, length, 1}; }
Layout with_gaps(int64_t length) { return {kInner * (length + 3) + 5, length + 3, 1}; }
Layout along_another_dim(int64_t length) { return {kInner * length, 1, kInner}; }

// What masks there are: one for each entry in two layouts, one for all inner or all outer batches,
// and one that takes rows as a whole.
std::vector<Layout> mask_layouts(int64_t length) {
  return {dense(length), along_another_dim(length), {length, 0, 1}, {0, length, 1}, {kInner, 1, 0}};
}

// Each mask is of another kind. Entries that take part have any number but 0.
std::shared_ptr<simt::GuardedArray<MaskEntry>> masks_of(Layout const& layout, int64_t length,
                                                        Random& random) {
  auto result = std::make_shared<simt::GuardedArray<MaskEntry>>(
      static_cast<size_t>(layout.extent(length)), MaskEntry{0});
  auto const any = [&] { return static_cast<MaskEntry>(1 + random() % 255); };
  for (int64_t row = 0; row < kRows; ++row) {
    int64_t const kind = row % 7;
    auto const end = static_cast<int64_t>(random() % static_cast<uint64_t>(length + 1));
    for (int64_t i = 0; i < length; ++i) {
      bool const takes_part = kind < 2    ? i < end
                              : kind == 2 ? false
                              : kind == 3 ? true
                              : kind == 4 ? i == end
                                          : random() % 2 == 0;
      result->data()[layout.at(row, i)] = takes_part ? any() : MaskEntry{0};
    }
  }
  return result;
}

template <class Scalar>
Scalar any_logit(int64_t row, Random& random) {
  std::normal_distribution<double> normal(0, row % 3 == 0 ? 0.01 : 1);
  if (row % 11 == 5 && random() % 9 == 0) return narrow<Scalar>(-kInfinity);
  if (row % 17 == 3 && random() % 30 == 0) return narrow<Scalar>(kInfinity);
  if (row % 17 == 9 && random() % 30 == 0) return narrow<Scalar>(NAN);
  return narrow<Scalar>(row % 13 == 7 ? static_cast<double>(random() % 3) : normal(random));
}

// What may lie behind a mask: infinities, quiet and signalling NaNs, huge numbers.
template <class Scalar>
Scalar garbage(Random& random) {
  Scalar result;
  uint64_t const bits = random() % 3 == 0 ? ~uint64_t{0} << 48 | random() : random();
  std::memcpy(&result, &bits, sizeof(result));
  double const infinity = random() % 2 == 0 ? kInfinity : -kInfinity;
  return random() % 3 == 0 ? narrow<Scalar>(infinity) : result;
}

template <class Scalar>
struct Case {
  double alpha;
  int64_t length;
  int64_t k;
  Layout mask_layout;
  std::shared_ptr<simt::GuardedArray<MaskEntry>> mask;  // with guards after it
  std::vector<Scalar> logits;                           // row by row, with garbage behind the mask
  std::vector<Scalar> weights;                          // what is expected

  bool takes_part(int64_t row, int64_t i) const {
    return mask->data()[mask_layout.at(row, i)] != 0;
  }
  int64_t places() const { return std::min(k, length); }
};

template <class Scalar>
Case<Scalar> make_case(double alpha, int64_t length, int64_t k, Layout const& mask_layout,
                       uint64_t seed) {
  Random random(seed);
  Case<Scalar> result = {alpha, length, k, mask_layout, masks_of(mask_layout, length, random),
                         {},    {}};
  std::vector<Scalar> filled;
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t i = 0; i < length; ++i) {
      Scalar const logit = any_logit<Scalar>(row, random);
      bool const takes_part = result.takes_part(row, i);
      result.logits.push_back(takes_part ? logit : garbage<Scalar>(random));
      filled.push_back(takes_part ? logit : narrow<Scalar>(-kInfinity));
    }
  }
  result.weights.resize(filled.size());
  cpu::entmax(alpha, contiguous_rows(kRows, length), result.weights.data(), filled.data(), k, 0,
              kRows);
  for (int64_t row = 0; row < kRows; ++row) {
    bool is_left_out = true;
    for (int64_t i = 0; i < length; ++i) is_left_out = is_left_out && !result.takes_part(row, i);
    if (is_left_out) std::fill_n(result.weights.begin() + row * length, length, Scalar{});
  }
  return result;
}

// Numbers that lie in this way, between guards.
template <class Element>
class Operand {
 public:
  Operand(Layout const& layout, int64_t length, Element between)
      : layout_(layout),
        length_(length),
        between_(between),
        memory_(static_cast<size_t>(layout.extent(length)), between, simt::Guard::kAfter) {}

  Element* data() { return memory_.data(); }

  void scatter(std::vector<Element> const& rows) {
    for_each([&](int64_t i, Element& element) { element = rows[static_cast<size_t>(i)]; });
  }

  std::vector<Element> gather() {
    std::vector<Element> rows(static_cast<size_t>(kRows * length_));
    for_each([&](int64_t i, Element& element) { rows[static_cast<size_t>(i)] = element; });
    return rows;
  }

  // What lies between rows was not written.
  void expect_gaps() {
    for_each([&](int64_t, Element& element) { element = between_; });
    for (int64_t i = 0; i < layout_.extent(length_); ++i) {
      ASSERT_EQ(std::memcmp(data() + i, &between_, sizeof(Element)), 0) << "gap " << i;
    }
  }

 private:
  template <class Visit>
  void for_each(Visit const& visit) {
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t i = 0; i < length_; ++i) {
        visit(row * length_ + i, data()[layout_.at(row, i)]);
      }
    }
  }

  Layout layout_;
  int64_t length_;
  Element between_;
  simt::GuardedArray<Element> memory_;
};

template <size_t Operands>
RowGeometry<static_cast<int>(Operands)> geometry_of(int64_t length,
                                                    std::array<Layout, Operands> const& layouts) {
  RowGeometryBuilder<static_cast<int>(Operands)> builder;
  auto const strides = [&](int64_t Layout::* stride) {
    std::array<int64_t, Operands> result;
    for (size_t i = 0; i < Operands; ++i) result[i] = layouts[i].*stride;
    return result;
  };
  builder.set_row(length, strides(&Layout::column));
  builder.add_batch_dimension(kInner, strides(&Layout::inner));
  builder.add_batch_dimension(kOuter, strides(&Layout::outer));
  return builder.build();
}

template <class Element>
void expect_same(std::vector<Element> const& actual, std::vector<Element> const& expected,
                 int64_t length) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(std::memcmp(&actual[i], &expected[i], sizeof(Element)), 0)
        << "row " << i / length << ", entry " << i % length << ": "
        << static_cast<double>(widen(actual[i])) << " in place of "
        << static_cast<double>(widen(expected[i]));
  }
}

template <class Scalar>
void check_forward(cpu::Kernels<Scalar> const& kernels, Case<Scalar> const& of, Layout const& from,
                   Layout const& to) {
  Operand<Scalar> logits(from, of.length, narrow<Scalar>(NAN));
  Operand<Scalar> weights(to, of.length, narrow<Scalar>(-7));
  logits.scatter(of.logits);
  auto const geometry = geometry_of<4>(of.length, {to, from, to, of.mask_layout});
  kernels.forward_masked(of.alpha, geometry, weights.data(), logits.data(), nullptr,
                         of.mask->data(), of.k, 0, 30);
  kernels.forward_masked(of.alpha, geometry, weights.data(), logits.data(), nullptr,
                         of.mask->data(), of.k, 30, kRows);
  expect_same(weights.gather(), of.weights, of.length);
  weights.expect_gaps();
}

template <class Scalar>
void check_with_support(cpu::Kernels<Scalar> const& kernels, Case<Scalar> const& of,
                        Layout const& from, Layout const& to) {
  Operand<Scalar> logits(from, of.length, narrow<Scalar>(NAN));
  Operand<Scalar> weights(to, of.length, narrow<Scalar>(-7));
  int64_t const capacity = of.places() + 1;
  Operand<int32_t> support(dense(capacity), capacity, -7);
  logits.scatter(of.logits);
  auto const geometry = geometry_of<4>(of.length, {to, from, dense(capacity), of.mask_layout});
  kernels.forward_masked(of.alpha, geometry, weights.data(), logits.data(), support.data(),
                         of.mask->data(), of.k, 0, kRows);
  expect_same(weights.gather(), of.weights, of.length);
  for (int64_t row = 0; row < kRows; ++row) {
    int32_t const* const columns = support.data() + row * capacity;
    Scalar const* const expected = of.weights.data() + row * of.length;
    int32_t count = 0;
    for (int64_t i = 0; i < of.length && !std::isnan(widen(expected[0])); ++i) {
      if (widen(expected[i]) == 0) continue;
      ASSERT_EQ(columns[++count], i) << "row " << row;
    }
    ASSERT_EQ(columns[0], std::isnan(widen(expected[0])) ? -1 : count) << "row " << row;
  }
}

template <class Scalar>
void check_compact(cpu::Kernels<Scalar> const& kernels, Case<Scalar> const& of,
                   Layout const& from) {
  Operand<Scalar> logits(from, of.length, narrow<Scalar>(NAN));
  Operand<Scalar> values(dense(of.places()), of.places(), narrow<Scalar>(-7));
  Operand<int64_t> indices(dense(of.places()), of.places(), -7);
  logits.scatter(of.logits);
  auto const results = dense(of.places());
  auto const geometry = geometry_of<4>(of.length, {results, from, results, of.mask_layout});
  kernels.forward_compact_masked(of.alpha, geometry, values.data(), logits.data(), indices.data(),
                                 of.mask->data(), of.k, 0, kRows);
  for (int64_t row = 0; row < kRows; ++row) {
    Scalar const* const expected = of.weights.data() + row * of.length;
    auto const count = std::count_if(expected, expected + of.length,
                                     [](Scalar weight) { return widen(weight) != 0; });
    for (int64_t i = 0; i < of.places(); ++i) {
      int64_t const index = indices.data()[row * of.places() + i];
      Scalar const value = values.data()[row * of.places() + i];
      if (i >= count) {
        ASSERT_EQ(index, -1) << "row " << row;
        ASSERT_EQ(widen(value), 0) << "row " << row;
        continue;
      }
      ASSERT_TRUE(0 <= index && index < of.length) << "row " << row;
      ASSERT_EQ(std::memcmp(&value, expected + index, sizeof(Scalar)), 0) << "row " << row;
    }
  }
}

template <class Scalar>
void check_parts(cpu::Kernels<Scalar> const& kernels, Case<Scalar> const& of) {
  constexpr int64_t kParts = 3;
  if (of.length < 64 * kParts) return;
  for (int64_t row = 0; row < 14; ++row) {
    std::vector<Scalar> weights(static_cast<size_t>(of.length), narrow<Scalar>(-7));
    auto const* const mask = of.mask->data() + of.mask_layout.at(row, 0);
    kernels.forward_split_masked(of.alpha, weights.data(), of.logits.data() + row * of.length, mask,
                                 of.mask_layout.column, of.length, of.k, kParts,
                                 [](int64_t count, auto* task, void* context) {
                                   for (int64_t i = 0; i < count; ++i) task(context, i);
                                 });
    auto const first = of.weights.begin() + row * of.length;
    expect_same(weights, std::vector<Scalar>(first, first + of.length), of.length);
  }
}

template <class Scalar>
void check(double alpha, int64_t length, int64_t k, uint64_t seed,
           std::vector<Layout> const& layouts_of_masks) {
  for (Layout const& mask_layout : layouts_of_masks) {
    SCOPED_TRACE(testing::Message()
                 << "alpha " << alpha << ", n " << length << ", k " << k << ", mask strides "
                 << mask_layout.outer << ", " << mask_layout.inner << ", " << mask_layout.column);
    auto const of = make_case<Scalar>(alpha, length, k, mask_layout, seed);
    for (auto const& kernels : kernels_of_this_machine<Scalar>(alpha)) {
      check_forward(kernels, of, dense(length), dense(length));
      check_forward(kernels, of, with_gaps(length), dense(length));
      check_forward(kernels, of, with_gaps(length), with_gaps(length));
      check_forward(kernels, of, along_another_dim(length), along_another_dim(length));
      check_forward(kernels, of, dense(length), along_another_dim(length));
      check_with_support(kernels, of, dense(length), dense(length));
      check_with_support(kernels, of, along_another_dim(length), along_another_dim(length));
      check_compact(kernels, of, dense(length));
      check_compact(kernels, of, with_gaps(length));
      check_compact(kernels, of, along_another_dim(length));
      check_parts(kernels, of);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(Masks, EqualRowsOfMinusInfinity) {
  uint64_t seed = 0;
  for (double const alpha : kAlphas) {
    for (int64_t const length : {1, 2, 3, 7, 8, 16, 31, 33, 64, 100, 333}) {
      for (int64_t const k : {int64_t{1}, int64_t{3}, int64_t{8}, int64_t{40}, length}) {
        check<TypeParam>(alpha, length, k, ++seed, mask_layouts(length));
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(Masks, EqualLongRowsOfMinusInfinity) {
  constexpr int64_t kLength = 5000;
  for (double const alpha : {2.0, 1.5}) {
    for (int64_t const k : {3, 2000}) {
      check<TypeParam>(alpha, kLength, k, 1, {dense(kLength), {kLength, 0, 1}});
      if (this->HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace zeta::rowwise
