#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "cuda_rows.h"
#include "row_reference.h"
#include "rows.h"
#include "rowwise/cpu/largest.h"
#include "rowwise/cuda/largest.cuh"
#include "rowwise/mask.h"

// The columns of the largest entries, by the CPU and by the CUDA kernel run on it.
namespace zeta::rowwise {
namespace {

using namespace cuda_rows;

template <class Scalar>
class LargestEntries : public testing::Test {};
TYPED_TEST_SUITE(LargestEntries, Scalars);

// Numbers of rows of so many each, which are read and written at these places alone.
template <class Number>
struct Table {
  Table(int64_t rows, int64_t count, Layout const& layout)
      : layout(layout),
        stride(layout.stride),
        row_stride(layout.row_stride),
        memory(static_cast<size_t>((rows - 1) * row_stride + (count - 1) * stride + 1),
               static_cast<Number>(-7)) {}

  int64_t offset(int64_t row) const { return row * row_stride; }
  Number& at(int64_t row, int64_t place) {
    return memory[static_cast<size_t>(row * row_stride + place * stride)];
  }

  Layout layout;
  int64_t stride;
  int64_t row_stride;
  GuardedArray<Number> memory;
};

// Both tables hold the columns of the case's k largest entries of each row.
template <class Scalar>
void expect_largest(Case const& one, Operand<Scalar>& entries, Table<int64_t>& by_cpu,
                    Table<int64_t>& by_cuda) {
  for (int64_t row = 0; row < one.rows; ++row) {
    auto const expected =
        reference::columns_of_largest(entries.row(row, one.length), static_cast<size_t>(one.k));
    for (int64_t place = 0; place < one.k; ++place) {
      auto const column = expected[static_cast<size_t>(place)];
      ASSERT_EQ(by_cpu.at(row, place), column) << one.text() << ", row " << row;
      ASSERT_EQ(by_cuda.at(row, place), column) << one.text() << ", row " << row;
    }
  }
}

TYPED_TEST(LargestEntries, AreThoseThatSortingFinds) {
  constexpr auto kRows = static_cast<int64_t>(Logits::kCount) + 2;
  uint64_t seed = 0;
  for (int64_t length : {1, 2, 31, 63, 64, 65, 200, 255, 256, 257, 1000, 3000}) {
    for (int64_t count : {int64_t{1}, int64_t{3}, int64_t{40}, length - 1, length}) {
      if (count < 1 || count > length) continue;
      Case const one = {cuda::Regime::kPasses, kRows, length, count, ++seed};
      Random random(seed);
      bool const has_gaps = seed % 2 == 0;
      Operand<TypeParam> entries(kRows, length, has_gaps ? with_gaps(length) : contiguous(length));
      fill_logits(entries, one, random);
      Layout const layout = seed % 3 == 0 ? side_by_side(kRows) : contiguous(count);
      Table<int64_t> by_cpu(kRows, count, layout);
      Table<int64_t> by_cuda(kRows, count, layout);
      auto const geometry = geometry_of(kRows, length, by_cpu, entries);
      cpu::largest(geometry, by_cpu.memory.data(), entries.memory.data(), count, 0, kRows);
      simt::Stream const stream = one.stream();
      ASSERT_EQ(cuda::launch_largest(geometry, by_cuda.memory.data(), entries.memory.data(), count,
                                     &stream),
                cudaSuccess);
      expect_largest(one, entries, by_cpu, by_cuda);
      if (this->HasFatalFailure()) return;
    }
  }
}

// With masks that leave out a third of each row, and some rows as a whole.
TYPED_TEST(LargestEntries, AreThoseThatAMaskDoesNotLeaveOut) {
  constexpr auto kRows = static_cast<int64_t>(Logits::kCount) + 2;
  uint64_t seed = 0;
  for (int64_t length : {1, 2, 63, 64, 200, 257, 1000}) {
    for (int64_t count : {int64_t{1}, int64_t{3}, length / 2, length}) {
      if (count < 1 || count > length) continue;
      Case const one = {cuda::Regime::kPasses, kRows, length, count, ++seed};
      Random random(seed);
      Operand<TypeParam> entries(kRows, length,
                                 seed % 2 == 0 ? with_gaps(length) : contiguous(length));
      fill_logits(entries, one, random);
      Table<MaskEntry> mask(kRows, length, seed % 4 < 2 ? side_by_side(kRows) : contiguous(length));
      Operand<TypeParam> masked(kRows, length, contiguous(length));
      for (int64_t row = 0; row < kRows; ++row) {
        for (int64_t column = 0; column < length; ++column) {
          bool const takes_part = row % 7 != 6 && random() % 3 != 0;
          mask.at(row, column) = takes_part ? 1 + random() % 255 : 0;
          masked.at(row, column) =
              takes_part ? entries.at(row, column) : narrow<TypeParam>(-kInfinity);
        }
      }
      Table<int64_t> by_cpu(kRows, count, contiguous(count));
      Table<int64_t> by_cuda(kRows, count, contiguous(count));
      auto const geometry = geometry_of(kRows, length, by_cpu, entries, mask);
      cpu::largest_masked(geometry, by_cpu.memory.data(),
                          static_cast<TypeParam const*>(entries.memory.data()), mask.memory.data(),
                          count, 0, kRows);
      simt::Stream const stream = one.stream();
      ASSERT_EQ(cuda::launch_largest_masked(geometry, by_cuda.memory.data(),
                                            static_cast<TypeParam const*>(entries.memory.data()),
                                            mask.memory.data(), count, &stream),
                cudaSuccess);
      expect_largest(one, masked, by_cpu, by_cuda);
      if (this->HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace zeta::rowwise
