#include <gtest/gtest.h>
#include <torch/torch.h>
#include <zeta/ops.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "ops/cuda/compact.h"

// The compact form as CUDA tensors get it, composed of operators, which here are the CPU's.
namespace {

constexpr double kAlphas[] = {1, 1.25, 1.5, 2};

at::Tensor odd_logits() {
  auto z = torch::randn({2, 7, 40}, torch::kDouble).mul(4).round().div(4);
  z[0][0].fill_(-std::numeric_limits<double>::infinity());
  z[0][1][3] = std::numeric_limits<double>::quiet_NaN();
  z[1][2][5] = std::numeric_limits<double>::infinity();
  return z;
}

// Undefined, and masks that are broadcast in every way; some leave out rows as a whole.
std::vector<at::Tensor> odd_masks() {
  std::vector<at::Tensor> masks = {at::Tensor()};
  for (auto const& size : std::vector<std::vector<int64_t>>{
           {2, 7, 40}, {40}, {1}, {}, {7, 1}, {2, 1, 1}, {1, 7, 40}}) {
    masks.push_back(torch::rand(size) < 0.4);
  }
  masks.push_back(torch::zeros({7, 40}, torch::kBool));
  return masks;
}

template <class Alpha>
void check(at::Tensor const& z, Alpha const& alpha, int64_t k, int64_t dim,
           at::Tensor const& mask) {
  auto const [values, indices] = zeta::ops::compact_of_largest<Alpha>(z, alpha, k, dim, mask);
  auto const [expected, expected_indices] = zeta::entmax_compact(
      z, alpha, k, dim, std::nullopt, mask.defined() ? std::optional(mask) : std::nullopt);
  EXPECT_TRUE(torch::allclose(values, expected, 0, 0, /*equal_nan=*/true)) << k << ", " << dim;
  EXPECT_TRUE(torch::equal(indices, expected_indices)) << k << ", " << dim;
}

TEST(CudaCompact, EqualsTheCpu) {
  torch::manual_seed(1);
  auto const z = odd_logits();
  for (auto const& mask : odd_masks()) {
    for (int64_t dim = 0; dim < 3; ++dim) {
      for (int64_t const k : {1, 3, 40, 100}) {
        for (double const alpha : kAlphas) check(z, alpha, k, dim, mask);
        auto sizes = z.sizes().vec();
        sizes[static_cast<size_t>(dim)] = 1;
        check<at::Tensor>(z, torch::rand(sizes, torch::kDouble) / 2 + 1.25, k, dim, mask);
      }
    }
  }
}

TEST(CudaCompact, TakesTensorsWithoutEntriesOrDimensions) {
  for (auto const& mask : {at::Tensor(), torch::tensor(true), torch::tensor(false)}) {
    check(torch::tensor(2.0, torch::kDouble), 2.0, 3, 0, mask);
    check(torch::empty({0, 4}, torch::kDouble), 2.0, 3, 1, mask);
    check(torch::empty({4, 0}, torch::kDouble), 2.0, 3, 1, mask);
  }
}

}  // namespace
