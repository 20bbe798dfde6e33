#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "../simt/guarded_array.h"
#include "mappings/sparse_softmax.h"
#include "rows.h"
#include "rowwise/cpu/capability.h"
#include "rowwise/cpu/kernels.h"
#include "rowwise/cpu/largest.h"

namespace zeta::rowwise {
namespace {

template <class Scalar>
class CpuMemory : public testing::Test {};
TYPED_TEST_SUITE(CpuMemory, Scalars);

// Calls function(kernels) for each instruction set that this machine has.
template <class Scalar, class Function>
void for_each_capability(Function const& function) {
  using Get = cpu::Kernels<Scalar> (*)();
  std::vector<Get> all = {&cpu::baseline::mapping_kernels<mappings::SparseSoftmax, Scalar>};
#ifdef __x86_64__
  all.push_back(&cpu::avx2::mapping_kernels<mappings::SparseSoftmax, Scalar>);
  all.push_back(&cpu::avx512::mapping_kernels<mappings::SparseSoftmax, Scalar>);
#endif
  for (size_t i = 0; i <= static_cast<size_t>(cpu::highest_capability()); ++i) {
    SCOPED_TRACE(cpu::kCapabilityNames[i]);
    function(all[i]());
  }
}

// An element whose bytes are all the same.
template <class Element>
Element of_bytes(unsigned char byte) {
  Element result;
  std::memset(&result, byte, sizeof(result));
  return result;
}

// What lies around an input: NaN, or -1, so that whatever depended on it would be another result.
constexpr unsigned char kAround = 0xFF;
constexpr unsigned char kUnwritten = 0xA5;

// Where an operand lies: that many elements from what it may not touch.
struct Place {
  simt::Guard near;
  int64_t gap;
};

// Calls function(input, output) for places at either end and at each alignment, that of the output
// being the input's or another one.
template <class Scalar, class Function>
void for_each_place(Function const& function) {
  constexpr int64_t kLanes = 64 / sizeof(Scalar);
  for (auto const near : {simt::Guard::kBefore, simt::Guard::kAfter}) {
    for (int64_t gap = 0; gap < kLanes; ++gap) {
      SCOPED_TRACE(testing::Message() << gap << " elements from what lies "
                                      << (near == simt::Guard::kBefore ? "before" : "after"));
      bool const is_same = near == simt::Guard::kBefore;
      function(Place{near, gap}, Place{near, is_same ? gap : kLanes - 1 - gap});
    }
  }
}

// How a matrix of rows lies in memory: how far apart neighbours in a row are, and rows.
struct Layout {
  int64_t stride;
  int64_t pitch;
};

struct Shape {
  int64_t rows;
  int64_t length;

  Layout in_rows() const { return {1, length}; }
  Layout in_rows_apart() const { return {1, length + 3}; }
  Layout in_columns() const { return {rows, 1}; }
  size_t extent(Layout layout) const {
    return static_cast<size_t>((rows - 1) * layout.pitch + (length - 1) * layout.stride + 1);
  }
};

template <size_t Operands>
RowGeometry<static_cast<int>(Operands)> geometry_of(Shape shape,
                                                    Layout const (&layouts)[Operands]) {
  std::array<int64_t, Operands> strides;
  std::array<int64_t, Operands> pitches;
  for (size_t i = 0; i < Operands; ++i) {
    strides[i] = layouts[i].stride;
    pitches[i] = layouts[i].pitch;
  }
  RowGeometryBuilder<static_cast<int>(Operands)> builder;
  builder.set_row(shape.length, strides);
  builder.add_batch_dimension(shape.rows, pitches);
  return builder.build();
}

// Rows first to last - 1 of contiguous ones, as they lie in another layout; other bytes between.
template <class Element>
std::vector<Element> laid_out(std::vector<Element> const& contiguous, Shape shape, Layout layout,
                              unsigned char between, int64_t first, int64_t last) {
  std::vector<Element> result(shape.extent(layout), of_bytes<Element>(between));
  for (int64_t row = first; row < last; ++row) {
    for (int64_t column = 0; column < shape.length; ++column) {
      result[row * layout.pitch + column * layout.stride] = contiguous[row * shape.length + column];
    }
  }
  return result;
}

template <class Element>
struct Input : simt::GuardedArray<Element> {
  Input(std::vector<Element> const& elements, Place place)
      : simt::GuardedArray<Element>(elements.size(), of_bytes<Element>(kAround), place.near,
                                    static_cast<size_t>(place.gap)) {
    std::copy(elements.begin(), elements.end(), this->data());
  }
};

template <class Element>
struct Output : simt::GuardedArray<Element> {
  Output(size_t size, Place place)
      : simt::GuardedArray<Element>(size, of_bytes<Element>(kUnwritten), place.near,
                                    static_cast<size_t>(place.gap)) {}

  // To hold them bit for bit, and to be unwritten around them.
  void expect(std::vector<Element> const& elements) const {
    ASSERT_EQ(this->size(), elements.size());
    EXPECT_TRUE(this->gap_holds(of_bytes<Element>(kUnwritten))) << "written beyond the rows";
    if (std::memcmp(this->data(), elements.data(), elements.size() * sizeof(Element)) == 0) return;
    for (size_t i = 0; i < elements.size(); ++i) {
      ASSERT_EQ(std::memcmp(&(*this)[i], &elements[i], sizeof(Element)), 0)
          << "element " << i << " of " << elements.size();
    }
  }
};

// Rows of different kinds: their largest entries far apart, near each other, tied, and one row NaN.
template <class Scalar>
std::vector<Scalar> any_rows(Shape shape, double scale) {
  auto rows = normal_row<Scalar>(shape.rows * shape.length, scale, 7);
  auto const row = [&](int64_t i) { return rows.begin() + i * shape.length; };
  if (shape.rows > 1) rows[shape.length] = narrow<Scalar>(std::numeric_limits<double>::infinity());
  if (shape.rows > 2) std::fill(row(2), row(3), narrow<Scalar>(0.5));
  return rows;
}

// What a test takes to be right: contiguous rows in ordinary memory.
template <class Scalar>
std::vector<Scalar> ordinary_forward(cpu::Kernels<Scalar> const& kernels, Shape shape,
                                     std::vector<Scalar> const& logits, int64_t k,
                                     int64_t full_length) {
  std::vector<Scalar> weights(logits.size());
  auto geometry = geometry_of(shape, {shape.in_rows(), shape.in_rows()});
  geometry.full_length = full_length;
  kernels.forward(kAlpha, geometry, weights.data(), logits.data(), k, 0, shape.rows);
  return weights;
}

struct Case {
  Shape shape;
  int64_t k;
  double scale;  // of the logits: where it is small, lists of candidates are long
};

// So many rows as kernels that take several at a time take without a rest, and a few more: the last
// row that such a kernel reads is then the last one there is, or not.
constexpr int64_t kManyRows = 5 * 32;
constexpr int64_t kRows = 2 * 16;
constexpr int64_t kRest = 3;
constexpr int64_t kBlock = 8192;  // of forward/row.h

// For each kernel of rowwise/cpu/forward: lanes.h, sorted.h, group.h, and row.h with a list and
// without.
std::vector<Case> cases() {
  std::vector<Case> result;
  int64_t k = 0;
  for (int64_t length : {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 65, 100}) {
    k = k % 4 + 1;
    result.push_back({{kManyRows, length}, std::min(k, length), 1});
  }
  for (int64_t length : {3, 15, 16, 33, 100}) {
    result.push_back({{kManyRows + kRest, length}, 3, 1});
  }
  result.push_back({{kRows, 512}, 3, 1});
  for (int64_t length : {5, 7, 15, 16, 17, 24}) {
    result.push_back({{kRows, length}, 5, 1});
    result.push_back({{kRows + kRest, length}, length, 0.1});
  }
  for (int64_t length : {25, 31, 32, 33, 63, 64, 100, 129, 130, 520, 1001}) {
    result.push_back({{kRows, length}, 5, 3});
    result.push_back({{kRows + kRest, length}, length, length < 130 ? 0.1 : 3});
  }
  result.push_back({{17, 300}, 300, 0.001});
  for (int64_t length : {8200, 17001}) {
    result.push_back({{3, length}, 3, 1});
    result.push_back({{3, length}, 40, 1});
    result.push_back({{3, length}, length, 0.001});
  }
  // The last block has an entry more than a block, or one less.
  for (int64_t length : {2 * kBlock + 1, 3 * kBlock - 1}) result.push_back({{1, length}, 3, 1});
  result.push_back({{1, 66001}, 3, 1});
  return result;
}

std::vector<Case> strided_cases() {
  return {{{35, 1}, 1, 1},  {{70, 7}, 2, 1},     {{35, 33}, 33, 0.1},
          {{65, 40}, 5, 1}, {{67, 16}, 16, 0.1}, {{3, 1025}, 3, 1}};
}

template <class Function>
void for_each_case(std::vector<Case> const& all, Function const& function) {
  for (Case const& each : all) {
    SCOPED_TRACE(testing::Message() << each.shape.rows << " rows of " << each.shape.length << ", k "
                                    << each.k << ", scale " << each.scale);
    function(each);
  }
}

TYPED_TEST(CpuMemory, ForwardOfContiguousRows) {
  for_each_capability<TypeParam>([](auto const& kernels) {
    for_each_case(cases(), [&](Case const& each) {
      auto const [shape, k, scale] = each;
      auto const logits = any_rows<TypeParam>(shape, scale);
      for (int64_t const full_length : {shape.length, int64_t{1} << 40}) {
        auto geometry = geometry_of(shape, {shape.in_rows(), shape.in_rows()});
        geometry.full_length = full_length;
        auto const expected = ordinary_forward(kernels, shape, logits, k, full_length);
        for_each_place<TypeParam>([&](Place input, Place output) {
          if (full_length != shape.length && input.gap > 0) return;
          Input<TypeParam> const guarded_logits(logits, input);
          Output<TypeParam> weights(logits.size(), output);
          kernels.forward(kAlpha, geometry, weights.data(), guarded_logits.data(), k, 0,
                          shape.rows);
          weights.expect(expected);
        });
      }
    });
  });
}

// Which are copied; nothing between them is written, nor what is there read into a result.
TYPED_TEST(CpuMemory, ForwardOfOtherRows) {
  for_each_capability<TypeParam>([](auto const& kernels) {
    for_each_case(strided_cases(), [&](Case const& each) {
      auto const [shape, k, scale] = each;
      auto const rows = any_rows<TypeParam>(shape, scale);
      auto const expected_rows = ordinary_forward(kernels, shape, rows, k, shape.length);
      for (auto const& [to, from] : {std::pair{shape.in_rows_apart(), shape.in_rows_apart()},
                                     std::pair{shape.in_columns(), shape.in_columns()},
                                     std::pair{shape.in_rows(), shape.in_columns()}}) {
        auto const geometry = geometry_of(shape, {to, from});
        auto const logits = laid_out(rows, shape, from, kAround, 0, shape.rows);
        auto const expected = laid_out(expected_rows, shape, to, kUnwritten, 0, shape.rows);
        for_each_place<TypeParam>([&](Place input, Place output) {
          Input<TypeParam> const guarded_logits(logits, input);
          Output<TypeParam> weights(expected.size(), output);
          kernels.forward(kAlpha, geometry, weights.data(), guarded_logits.data(), k, 0,
                          shape.rows);
          weights.expect(expected);
        });
      }
    });
  });
}

// A thread has a range of rows, whose neighbours are another thread's.
TYPED_TEST(CpuMemory, ForwardOfARangeOfRows) {
  for_each_capability<TypeParam>([](auto const& kernels) {
    for (auto const& all : {cases(), strided_cases()}) {
      for_each_case(all, [&](Case const& each) {
        auto const [shape, k, scale] = each;
        if (shape.rows < 3) return;
        auto const rows = any_rows<TypeParam>(shape, scale);
        auto const expected_rows = ordinary_forward(kernels, shape, rows, k, shape.length);
        for (auto const layout : {shape.in_rows(), shape.in_columns()}) {
          auto const geometry = geometry_of(shape, {layout, layout});
          auto const logits = laid_out(rows, shape, layout, kAround, 0, shape.rows);
          for (int64_t const first : {int64_t{0}, int64_t{1}, shape.rows / 2}) {
            int64_t const last = std::max(first + 1, shape.rows - 1 - first / 2);
            std::vector<TypeParam> weights(logits.size(), of_bytes<TypeParam>(kUnwritten));
            kernels.forward(kAlpha, geometry, weights.data(), logits.data(), k, first, last);
            auto const expected = laid_out(expected_rows, shape, layout, kUnwritten, first, last);
            ASSERT_EQ(
                std::memcmp(weights.data(), expected.data(), expected.size() * sizeof(TypeParam)),
                0)
                << "rows " << first << " to " << last;
          }
        }
      });
    }
  });
}

// The last rows of a result that is large enough to be written around the caches. The others lie,
// as far as it goes, in memory that nobody may touch.
TYPED_TEST(CpuMemory, ForwardAroundTheCaches) {
  for_each_capability<TypeParam>([](auto const& kernels) {
    for_each_case(cases(), [&](Case const& each) {
      auto const [shape, k, scale] = each;
      auto const logits = any_rows<TypeParam>(shape, scale);
      auto const expected = ordinary_forward(kernels, shape, logits, k, shape.length);
      auto const bytes = shape.length * static_cast<int64_t>(sizeof(TypeParam));
      int64_t const first = (int64_t{32} << 20) / bytes;
      Shape const large = {first + shape.rows, shape.length};
      auto const geometry = geometry_of(large, {large.in_rows(), large.in_rows()});
      for_each_place<TypeParam>([&](Place input, Place output) {
        if (output.gap % 8 > 1) return;
        Input<TypeParam> const guarded_logits(logits, input);
        Output<TypeParam> weights(logits.size(), output);
        kernels.forward(kAlpha, geometry, weights.data() - first * shape.length,
                        guarded_logits.data() - first * shape.length, k, first, large.rows);
        weights.expect(expected);
      });
    });
  });
}

// A row of ties is put together elsewhere, and may end within a line.
TYPED_TEST(CpuMemory, ForwardOfTiesAroundTheCaches) {
  for_each_capability<TypeParam>([](auto const& kernels) {
    for (int64_t const length : {4, 12, 20, 24, 36, 40, 72, 136}) {
      Shape const shape = {64, length};
      auto const first = (int64_t{32} << 20) / static_cast<int64_t>(sizeof(TypeParam)) / length;
      Shape const large = {first + shape.rows, length};
      auto const geometry = geometry_of(large, {large.in_rows(), large.in_rows()});
      std::vector<TypeParam> const logits(shape.rows * length, narrow<TypeParam>(0.5));
      auto const expected = ordinary_forward(kernels, shape, logits, 3, length);
      Place const place = {simt::Guard::kAfter, 0};
      Input<TypeParam> const guarded_logits(logits, place);
      Output<TypeParam> weights(logits.size(), place);
      kernels.forward(kAlpha, geometry, weights.data() - first * length,
                      guarded_logits.data() - first * length, 3, first, large.rows);
      weights.expect(expected);
    }
  });
}

TYPED_TEST(CpuMemory, ForwardOfColumnsAroundTheCaches) {
  constexpr int64_t kLength = 40;
  constexpr int64_t kRowsOf32MiB =
      (int64_t{32} << 20) / kLength / static_cast<int64_t>(sizeof(TypeParam));
  constexpr Shape kShape = {kRowsOf32MiB / 64 * 64 + 64, kLength};
  constexpr int64_t kFirst = kShape.rows - 70;
  auto const rows = any_rows<TypeParam>({70, kLength}, 1);
  Place const place = {simt::Guard::kAfter, 0};
  Input<TypeParam> logits(std::vector<TypeParam>(kShape.rows * kLength), place);
  for (size_t i = 0; i < rows.size(); ++i) {
    logits[i % kLength * kShape.rows + kFirst + i / kLength] = rows[i];
  }
  auto const geometry = geometry_of(kShape, {kShape.in_columns(), kShape.in_columns()});
  for_each_capability<TypeParam>([&](auto const& kernels) {
    auto const expected = ordinary_forward(kernels, {70, kLength}, rows, 5, kLength);
    Output<TypeParam> weights(logits.size(), place);
    kernels.forward(kAlpha, geometry, weights.data(), logits.data(), 5, kFirst, kShape.rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      auto const& weight = weights[i % kLength * kShape.rows + kFirst + i / kLength];
      ASSERT_EQ(std::memcmp(&weight, &expected[i], sizeof(weight)), 0) << i;
    }
  });
}

TYPED_TEST(CpuMemory, ForwardInParts) {
  auto const in_order = [](int64_t count, void (*task)(void*, int64_t), void* context) {
    for (int64_t i = 0; i < count; ++i) task(context, i);
  };
  for_each_capability<TypeParam>([&](auto const& kernels) {
    for (int64_t length : {64 * 7, 5003, 20011}) {
      for (auto const& [k, scale] : {std::pair{int64_t{3}, 1.0}, std::pair{length, 0.001}}) {
        SCOPED_TRACE(testing::Message() << "length " << length << ", k " << k);
        Shape const shape = {1, length};
        auto const logits = any_rows<TypeParam>(shape, scale);
        auto const expected = ordinary_forward(kernels, shape, logits, k, length);
        for_each_place<TypeParam>([&](Place input, Place output) {
          Input<TypeParam> const guarded_logits(logits, input);
          Output<TypeParam> weights(logits.size(), output);
          kernels.forward_split(kAlpha, weights.data(), guarded_logits.data(), length, k,
                                1 + input.gap % 7, in_order);
          weights.expect(expected);
        });
      }
    }
  });
}

// Values and indices lie side by side, and so do the logits or, in columns, those of all rows.
TYPED_TEST(CpuMemory, CompactForward) {
  for_each_capability<TypeParam>([](auto const& kernels) {
    for_each_case(cases(), [&](Case const& each) {
      auto const [shape, k, scale] = each;
      Shape const of_result = {shape.rows, k};
      auto const rows = any_rows<TypeParam>(shape, scale);
      for (auto const from : {shape.in_rows(), shape.in_columns()}) {
        auto const geometry = geometry_of(shape, {of_result.in_rows(), from, of_result.in_rows()});
        auto const logits = laid_out(rows, shape, from, kAround, 0, shape.rows);
        std::vector<TypeParam> values(of_result.extent(of_result.in_rows()));
        std::vector<int64_t> indices(values.size());
        kernels.forward_compact(kAlpha, geometry, values.data(), logits.data(), indices.data(), k,
                                0, shape.rows);
        for_each_place<TypeParam>([&](Place input, Place output) {
          Input<TypeParam> const guarded_logits(logits, input);
          Output<TypeParam> guarded_values(values.size(), output);
          Output<int64_t> guarded_indices(indices.size(), output);
          kernels.forward_compact(kAlpha, geometry, guarded_values.data(), guarded_logits.data(),
                                  guarded_indices.data(), k, 0, shape.rows);
          guarded_values.expect(values);
          guarded_indices.expect(indices);
        });
      }
    });
  });
}

// Where the logits lie close together, a support has many entries.
std::vector<Case> backward_cases() {
  return {{{70, 1}, 1, 1},       {{70, 5}, 3, 1},       {{31, 16}, 16, 0.1},
          {{35, 33}, 4, 1},      {{35, 63}, 63, 0.001}, {{17, 127}, 127, 0.001},
          {{17, 129}, 129, 0.1}, {{9, 1001}, 3, 1},     {{9, 1001}, 1001, 0.001},
          {{3, 9001}, 40, 1}};
}

template <class Scalar>
std::vector<Scalar> ordinary_backward(cpu::Kernels<Scalar> const& kernels, Shape shape,
                                      std::vector<Scalar> const& grad,
                                      std::vector<Scalar> const& weights) {
  std::vector<Scalar> result(grad.size());
  auto const geometry = geometry_of(shape, {shape.in_rows(), shape.in_rows(), shape.in_rows()});
  kernels.backward(kAlpha, geometry, result.data(), grad.data(), weights.data(), 0, shape.rows);
  return result;
}

TYPED_TEST(CpuMemory, Backward) {
  for_each_capability<TypeParam>([](auto const& kernels) {
    for_each_case(backward_cases(), [&](Case const& each) {
      auto const [shape, k, scale] = each;
      auto const weight_rows =
          ordinary_forward(kernels, shape, any_rows<TypeParam>(shape, scale), k, shape.length);
      auto const grad_rows = normal_row<TypeParam>(shape.rows * shape.length, 1, 8);
      auto const expected_rows = ordinary_backward(kernels, shape, grad_rows, weight_rows);
      for (auto const& [to, from] : {std::pair{shape.in_rows(), shape.in_rows()},
                                     std::pair{shape.in_rows_apart(), shape.in_rows_apart()},
                                     std::pair{shape.in_columns(), shape.in_columns()},
                                     std::pair{shape.in_rows(), shape.in_columns()}}) {
        auto const geometry = geometry_of(shape, {to, from, from});
        auto const weights = laid_out(weight_rows, shape, from, kAround, 0, shape.rows);
        auto const grad = laid_out(grad_rows, shape, from, kAround, 0, shape.rows);
        auto const expected = laid_out(expected_rows, shape, to, kUnwritten, 0, shape.rows);
        for_each_place<TypeParam>([&](Place input, Place output) {
          Input<TypeParam> const guarded_weights(weights, input);
          Input<TypeParam> const guarded_grad(grad, output);
          Output<TypeParam> result(expected.size(), output);
          kernels.backward(kAlpha, geometry, result.data(), guarded_grad.data(),
                           guarded_weights.data(), 0, shape.rows);
          result.expect(expected);
        });
      }
    });
  });
}

// The support lies side by side and, for the backward, as it does for rows in columns, too.
TYPED_TEST(CpuMemory, ForwardWithSupportAndItsBackward) {
  for_each_capability<TypeParam>([](auto const& kernels) {
    for_each_case(backward_cases(), [&](Case const& each) {
      auto const [shape, k, scale] = each;
      Shape const of_support = {shape.rows, 1 + k};
      auto const logits = any_rows<TypeParam>(shape, scale);
      auto const grad = normal_row<TypeParam>(shape.rows * shape.length, 1, 8);
      auto const weights = ordinary_forward(kernels, shape, logits, k, shape.length);
      auto const expected = ordinary_backward(kernels, shape, grad, weights);
      auto const geometry =
          geometry_of(shape, {shape.in_rows(), shape.in_rows(), of_support.in_rows()});
      std::vector<int32_t> support(of_support.extent(of_support.in_rows()));
      std::vector<TypeParam> ordinary_weights(weights.size());
      kernels.forward_with_support(kAlpha, geometry, ordinary_weights.data(), logits.data(),
                                   support.data(), k, 0, shape.rows);
      auto const backward_geometry = geometry_of(
          shape, {shape.in_rows(), shape.in_rows(), shape.in_rows(), of_support.in_rows()});
      auto const columns_geometry = geometry_of(
          shape,
          {shape.in_columns(), shape.in_columns(), shape.in_columns(), of_support.in_columns()});
      auto const support_columns =
          laid_out(support, of_support, of_support.in_columns(), kAround, 0, shape.rows);
      auto const grad_columns = laid_out(grad, shape, shape.in_columns(), kAround, 0, shape.rows);
      auto const expected_columns =
          laid_out(expected, shape, shape.in_columns(), kUnwritten, 0, shape.rows);
      for_each_place<TypeParam>([&](Place input, Place output) {
        Input<TypeParam> const guarded_logits(logits, input);
        Output<TypeParam> guarded_weights(weights.size(), output);
        Output<int32_t> guarded_support(support.size(), output);
        kernels.forward_with_support(kAlpha, geometry, guarded_weights.data(),
                                     guarded_logits.data(), guarded_support.data(), k, 0,
                                     shape.rows);
        guarded_weights.expect(weights);
        guarded_support.expect(support);

        Input<TypeParam> const guarded_grad(grad, input);
        Output<TypeParam> result(expected.size(), output);
        kernels.support_backward(kAlpha, backward_geometry, result.data(), guarded_grad.data(),
                                 nullptr, guarded_support.data(), k, 0, shape.rows);
        result.expect(expected);

        Input<int32_t> const guarded_support_columns(support_columns, input);
        Input<TypeParam> const guarded_grad_columns(grad_columns, input);
        Output<TypeParam> result_columns(expected.size(), output);
        std::fill_n(result_columns.data(), result_columns.size(), TypeParam{});
        kernels.support_backward(kAlpha, columns_geometry, result_columns.data(),
                                 guarded_grad_columns.data(), nullptr,
                                 guarded_support_columns.data(), k, 0, shape.rows);
        result_columns.expect(expected_columns);
      });
    });
  });
}

TYPED_TEST(CpuMemory, Largest) {
  for (Shape const shape :
       {Shape{5, 1}, Shape{5, 63}, Shape{5, 64}, Shape{3, 65}, Shape{3, 1001}}) {
    for (int64_t const count : {int64_t{1}, std::min<int64_t>(3, shape.length), shape.length}) {
      SCOPED_TRACE(testing::Message() << count << " of rows of " << shape.length);
      Shape const of_columns = {shape.rows, count};
      auto const rows = any_rows<TypeParam>(shape, 1);
      std::vector<int64_t> expected_rows(of_columns.extent(of_columns.in_rows()));
      cpu::largest(geometry_of(shape, {of_columns.in_rows(), shape.in_rows()}),
                   expected_rows.data(), rows.data(), count, 0, shape.rows);
      for (auto const& [to, from] : {std::pair{of_columns.in_rows(), shape.in_rows()},
                                     std::pair{of_columns.in_rows_apart(), shape.in_rows_apart()},
                                     std::pair{of_columns.in_columns(), shape.in_columns()}}) {
        auto const geometry = geometry_of(shape, {to, from});
        auto const entries = laid_out(rows, shape, from, kAround, 0, shape.rows);
        auto const expected = laid_out(expected_rows, of_columns, to, kUnwritten, 0, shape.rows);
        for_each_place<TypeParam>([&](Place input, Place output) {
          Input<TypeParam> const guarded_entries(entries, input);
          Output<int64_t> columns(expected.size(), output);
          cpu::largest(geometry, columns.data(), guarded_entries.data(), count, 0, shape.rows);
          columns.expect(expected);
        });
      }
    }
  }
}

}  // namespace
}  // namespace zeta::rowwise
