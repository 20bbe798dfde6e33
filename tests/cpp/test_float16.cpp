#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "rowwise/float16.h"

namespace zeta::rowwise {
namespace {

TEST(Float16, EveryCodeSurvivesWideningAndNarrowing) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    Float16 const half = {static_cast<uint16_t>(bits)};
    BFloat16 const bfloat = {static_cast<uint16_t>(bits)};
    if (!std::isnan(widen(half))) {
      EXPECT_EQ(narrow<Float16>(widen(half)).bits, bits);
    }
    if (!std::isnan(widen(bfloat))) {
      EXPECT_EQ(narrow<BFloat16>(widen(bfloat)).bits, bits);
    }
  }
  EXPECT_EQ(widen(Float16{0x3c01}), 1 + 0x1p-10F);
  EXPECT_EQ(widen(Float16{0x0001}), 0x1p-24F);
}

TEST(Float16, NarrowRoundsOnceToTheNearestAndTiesToEven) {
  EXPECT_EQ(narrow<Float16>(1 + 0x1p-11).bits, 0x3c00);
  EXPECT_EQ(narrow<Float16>(1 + 0x1p-11 + 0x1p-50).bits, 0x3c01);  // float would make it a tie
  EXPECT_EQ(narrow<Float16>(1 + 0x3p-11).bits, 0x3c02);
  EXPECT_EQ(narrow<Float16>(65519.99).bits, 0x7bff);
  EXPECT_EQ(narrow<Float16>(65520).bits, 0x7c00);
  EXPECT_EQ(narrow<Float16>(0x1p-25).bits, 0);
  EXPECT_EQ(narrow<Float16>(0x1p-25 + 0x1p-70).bits, 1);
  EXPECT_EQ(narrow<BFloat16>(1 + 0x1p-8).bits, 0x3f80);
  EXPECT_EQ(narrow<BFloat16>(1 + 0x1p-8 + 0x1p-50).bits, 0x3f81);
  EXPECT_EQ(narrow<BFloat16>(-(1 + 0x1p-8 + 0x1p-50)).bits, 0xbf81);
}

}  // namespace
}  // namespace zeta::rowwise
