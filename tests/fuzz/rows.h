#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "check.h"
#include "layout.h"
#include "numbers.h"
#include "rowwise/float16.h"

// Rows that follow each other without a gap.
namespace zeta::fuzz {

// What no weight is.
template <class Scalar>
Scalar unwritten() {
  return rowwise::narrow<Scalar>(-7);
}

template <class Scalar>
Scalar not_a_number() {
  return rowwise::narrow<Scalar>(std::nan(""));
}

// Makes some entries of a few rows, or all, what any numbers seldom are alike.
template <class Scalar>
void overwrite_any(Input& input, std::vector<Scalar>& rows, Shape const& shape) {
  constexpr double kNumbers[] = {-INFINITY, INFINITY, NAN, 0.0, -0.0, 1.0, -6e4};
  for (int count = input.ConsumeIntegralInRange(0, 3); count > 0; --count) {
    auto const number = rowwise::narrow<Scalar>(input.PickValueInArray(kNumbers));
    auto const row = input.ConsumeIntegralInRange<int64_t>(0, shape.rows() - 1);
    bool const is_whole = input.ConsumeBool();
    int64_t const first = is_whole ? 0 : input.ConsumeIntegralInRange<int64_t>(0, shape.length - 1);
    int64_t const last =
        is_whole ? shape.length : input.ConsumeIntegralInRange<int64_t>(first + 1, shape.length);
    std::fill(rows.begin() + row * shape.length + first, rows.begin() + row * shape.length + last,
              number);
  }
}

template <class Scalar>
std::vector<Scalar> any_rows(Input& input, Shape const& shape) {
  Numbers<Scalar> const numbers(input, input.remaining_bytes() / 2);
  std::vector<Scalar> rows;
  for (int64_t i = 0; i < shape.rows() * shape.length; ++i) {
    rows.push_back(numbers(static_cast<size_t>(i)));
  }
  overwrite_any(input, rows, shape);
  return rows;
}

template <class Element>
std::vector<Element> row_of(std::vector<Element> const& rows, int64_t row, int64_t length) {
  return {rows.begin() + row * length, rows.begin() + (row + 1) * length};
}

template <class Scalar>
std::vector<double> widened_row(std::vector<Scalar> const& rows, int64_t row, int64_t length) {
  std::vector<double> result;
  for (int64_t i = row * length; i < (row + 1) * length; ++i) {
    result.push_back(rowwise::widen(rows[static_cast<size_t>(i)]));
  }
  return result;
}

template <class Scalar>
void check_same_bits(char const* what, std::vector<Scalar> const& actual,
                     std::vector<Scalar> const& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    double const number = rowwise::widen(actual[i]);
    double const expected_number = rowwise::widen(expected[i]);
    if (std::isnan(number) && std::isnan(expected_number)) continue;
    if (std::memcmp(&actual[i], &expected[i], sizeof(Scalar)) != 0) {
      fail(what, ": entry ", i, " of ", expected.size(), " is ", number, " in place of ",
           expected_number);
    }
  }
}

}  // namespace zeta::fuzz
