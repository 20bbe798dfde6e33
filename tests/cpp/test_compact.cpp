#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../simt/guarded_array.h"
#include "kernels.h"
#include "row_reference.h"
#include "rows.h"

// The weights that are not 0 and their indices, against all weights and a sort.
namespace zeta::rowwise {
namespace {

constexpr double kAlphas[] = {2, 1.5, 1, 1.25};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class Scalar>
class Compact : public testing::Test {};
TYPED_TEST_SUITE(Compact, Scalars);

template <class Scalar>
struct CompactRows {
  std::vector<Scalar> values;
  std::vector<int64_t> indices;
};

template <class Scalar>
Scalar nan_of() {
  return narrow<Scalar>(std::numeric_limits<double>::quiet_NaN());
}

// Adds what a row is defined to give.
template <class Scalar>
void add_expected_row(std::vector<Scalar> const& logits, std::vector<Scalar> const& weights,
                      size_t places, CompactRows<Scalar>& rows) {
  auto const columns = reference::compact_columns(widened(logits), widened(weights), places);
  bool const is_nan = std::isnan(widen(weights[0]));
  for (int64_t const column : columns) {
    rows.values.push_back(is_nan       ? nan_of<Scalar>()
                          : column < 0 ? Scalar{}
                                       : weights[static_cast<size_t>(column)]);
    rows.indices.push_back(column);
  }
}

template <class Scalar>
CompactRows<Scalar> expected_rows(std::vector<Scalar> const& logits, double alpha, int64_t length,
                                  int64_t k, int64_t full_length) {
  auto const rows = static_cast<int64_t>(logits.size()) / length;
  std::vector<Scalar> weights(logits.size());
  auto geometry = contiguous_rows(rows, length);
  geometry.full_length = full_length;
  cpu::entmax(alpha, geometry, weights.data(), logits.data(), k, 0, rows);
  CompactRows<Scalar> result;
  for (int64_t first = 0; first < rows * length; first += length) {
    auto const row_of = [&](std::vector<Scalar> const& all) {
      return std::vector(all.begin() + first, all.begin() + first + length);
    };
    add_expected_row(row_of(logits), row_of(weights), static_cast<size_t>(std::min(k, length)),
                     result);
  }
  return result;
}

// How the rows of an operand lie: side by side, or those of one column side by side, with a gap.
enum class Layout { kRows, kGaps, kColumns };

struct Strides {
  Strides(Layout layout, int64_t rows, int64_t length)
      : column(layout == Layout::kColumns ? rows + 1 : 1),
        row(layout == Layout::kColumns ? 1 : length + (layout == Layout::kGaps ? 3 : 0)),
        extent((rows - 1) * row + (length - 1) * column + 1) {}

  int64_t column;
  int64_t row;
  int64_t extent;
};

template <class Element>
std::vector<Element> laid_out(std::vector<Element> const& rows, Strides const& strides,
                              int64_t length, Element between) {
  std::vector<Element> result(static_cast<size_t>(strides.extent), between);
  for (int64_t i = 0; i < static_cast<int64_t>(rows.size()); ++i) {
    result[i / length * strides.row + i % length * strides.column] = rows[i];
  }
  return result;
}

template <class Element>
void expect_same(Element const* actual, std::vector<Element> const& expected) {
  if (std::memcmp(actual, expected.data(), expected.size() * sizeof(Element)) == 0) return;
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(std::memcmp(actual + i, &expected[i], sizeof(Element)), 0)
        << "entry " << i << " of " << expected.size();
  }
}

struct Rows {
  double alpha;
  int64_t length;
  int64_t k;
  int64_t full_length;
};

// Runs the kernels on rows that lie in this way, between guards.
template <class Scalar>
void check(cpu::Kernels<Scalar> const& kernels, Rows const& rows, std::vector<Scalar> const& logits,
           CompactRows<Scalar> const& expected, Layout from, Layout to, simt::Guard near) {
  auto const [alpha, length, k, full_length] = rows;
  auto const count = static_cast<int64_t>(logits.size()) / length;
  int64_t const places = std::min(k, length);
  Strides const of_logits(from, count, length);
  Strides const of_values(to, count, places);
  RowGeometryBuilder<3> builder;
  builder.set_row(length, {of_values.column, of_logits.column, of_values.column});
  builder.add_batch_dimension(count, {of_values.row, of_logits.row, of_values.row});
  auto geometry = builder.build();
  geometry.full_length = full_length;

  auto const source = laid_out(logits, of_logits, length, nan_of<Scalar>());
  simt::GuardedArray<Scalar> guarded_logits(source.size(), Scalar{}, near);
  std::copy(source.begin(), source.end(), guarded_logits.data());
  auto const unwritten = narrow<Scalar>(-7);
  auto const extent = static_cast<size_t>(of_values.extent);
  simt::GuardedArray<Scalar> values(extent, unwritten, near);
  simt::GuardedArray<int64_t> indices(extent, -7, near);
  kernels.forward_compact(alpha, geometry, values.data(), guarded_logits.data(), indices.data(), k,
                          0, count);
  expect_same(values.data(), laid_out(expected.values, of_values, places, unwritten));
  expect_same(indices.data(), laid_out(expected.indices, of_values, places, int64_t{-7}));
}

// Calls visit(row, generator) for each kind of row: normal ones of several scales, ties, ascending
// and descending ones, masked ones, equal entries, and those that have no weights.
template <class Scalar>
std::vector<Scalar> rows_of_each_kind(int64_t length, int64_t repeats) {
  std::mt19937_64 random(static_cast<uint64_t>(length));
  std::normal_distribution<double> normal(0, 1);
  auto const mask = [&](double x) { return random() % 2 == 0 ? x : -kInfinity; };
  std::vector<Scalar> rows;
  auto const add = [&](auto const& entry) {
    for (int64_t i = 0; i < length; ++i) rows.push_back(narrow<Scalar>(entry(i)));
  };
  auto const relative = [&](int64_t i) {
    return static_cast<double>(i) / static_cast<double>(length);
  };
  for (int64_t repeat = 0; repeat < repeats; ++repeat) {
    for (double const scale : {1.0, 5.0, 0.1, 0.001}) {
      add([&](int64_t) { return scale * normal(random); });
    }
    add([&](int64_t) { return static_cast<double>(random() % 4) / 8; });
    add([&](int64_t) { return random() % 2 == 0 ? 0.0 : -0.0; });
    add([&](int64_t) { return 0.3; });
    add([&](int64_t) { return -5.0; });
    add([&](int64_t i) { return 2 * relative(i); });
    add([&](int64_t i) { return -2 * relative(i); });
    add([&](int64_t) { return mask(normal(random)); });
    add([&](int64_t) { return -kInfinity; });
    add([&](int64_t i) { return i == length / 2 ? 1.5 : -kInfinity; });
    add([&](int64_t i) { return i % 5 == 3 ? kInfinity : normal(random); });
    add([&](int64_t i) { return i % 3 == 2 ? NAN : mask(i % 7 == 0 ? kInfinity : 1); });
    add([&](int64_t i) { return i == length - 1 ? -NAN : normal(random); });
  }
  return rows;
}

template <class Scalar>
void check_all(int64_t length, std::vector<int64_t> const& limits,
               std::vector<double> const& alphas, int64_t repeats) {
  auto const logits = rows_of_each_kind<Scalar>(length, repeats);
  for (double const alpha : alphas) {
    auto const all_kernels = kernels_of_this_machine<Scalar>(alpha);
    for (int64_t const k : limits) {
      SCOPED_TRACE(testing::Message() << "alpha " << alpha << ", n " << length << ", k " << k);
      Rows const rows = {alpha, length, k, length};
      auto const expected = expected_rows(logits, alpha, length, k, length);
      for (auto const& kernels : all_kernels) {
        for (auto const near : {simt::Guard::kBefore, simt::Guard::kAfter}) {
          check(kernels, rows, logits, expected, Layout::kRows, Layout::kRows, near);
        }
      }
    }
  }
}

std::vector<double> const kAllAlphas(std::begin(kAlphas), std::end(kAlphas));

TYPED_TEST(Compact, HoldsTheLargestWeightsOfShortRows) {
  for (int64_t length = 1; length <= 130; ++length) {
    check_all<TypeParam>(length, {1, 3, 8, 32, 33, length, length + 5}, kAllAlphas, 2);
  }
}

TYPED_TEST(Compact, HoldsTheLargestWeightsOfLongRows) {
  check_all<TypeParam>(513, {1, 3, 8, 32, 33, 513}, kAllAlphas, 2);
  check_all<TypeParam>(5000, {1, 3, 8, 32, 33, 5000}, kAllAlphas, 1);
}

TYPED_TEST(Compact, HoldsTheLargestWeightsOfVeryLongRows) {
  check_all<TypeParam>(70000, {1, 8, 33}, kAllAlphas, 1);
  check_all<TypeParam>(70000, {70001}, {2, 1}, 1);
}

TYPED_TEST(Compact, TakesRowsOfAnyLayout) {
  Layout const layouts[] = {Layout::kRows, Layout::kGaps, Layout::kColumns};
  for (double const alpha : kAlphas) {
    auto const all_kernels = kernels_of_this_machine<TypeParam>(alpha);
    for (int64_t const length : {1, 5, 16, 40, 128, 600}) {
      auto const logits = rows_of_each_kind<TypeParam>(length, 3);
      for (int64_t const k : {1, 4, 8, 40}) {
        SCOPED_TRACE(testing::Message() << "alpha " << alpha << ", n " << length << ", k " << k);
        // Sums are those of the whole rows, whose entries these are.
        int64_t const full_length = k == 4 ? int64_t{1} << 40 : length;
        Rows const rows = {alpha, length, k, full_length};
        auto const expected = expected_rows(logits, alpha, length, k, full_length);
        for (auto const& kernels : all_kernels) {
          for (Layout const from : layouts) {
            for (Layout const to : layouts) {
              check(kernels, rows, logits, expected, from, to, simt::Guard::kAfter);
            }
          }
        }
      }
    }
  }
}

// A thread has a range of rows, whose neighbours are another thread's.
TYPED_TEST(Compact, WritesARangeOfRows) {
  constexpr int64_t kPlaces = 3;
  for (int64_t const length : {3, 20, 100, 1000}) {
    auto const logits = rows_of_each_kind<TypeParam>(length, 4);
    auto const rows = static_cast<int64_t>(logits.size()) / length;
    auto const expected = expected_rows(logits, kAlpha, length, kPlaces, length);
    RowGeometryBuilder<3> builder;
    builder.set_row(length, {1, 1, 1});
    builder.add_batch_dimension(rows, {kPlaces, length, kPlaces});
    auto const geometry = builder.build();
    for (auto const& [first, last] : {std::pair<int64_t, int64_t>{0, 1}, {1, rows - 2}, {7, 40}}) {
      auto const unwritten = narrow<TypeParam>(-7);
      std::vector<TypeParam> values(expected.values.size(), unwritten);
      std::vector<int64_t> indices(values.size(), -7);
      cpu::entmax_compact(kAlpha, geometry, values.data(), logits.data(), indices.data(), kPlaces,
                          first, last);
      auto expected_values = expected.values;
      auto expected_indices = expected.indices;
      for (int64_t i = 0; i < rows * kPlaces; ++i) {
        if (i / kPlaces >= first && i / kPlaces < last) continue;
        expected_values[i] = unwritten;
        expected_indices[i] = -7;
      }
      expect_same(values.data(), expected_values);
      expect_same(indices.data(), expected_indices);
    }
  }
}

}  // namespace
}  // namespace zeta::rowwise
