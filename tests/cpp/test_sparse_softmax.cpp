#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/torch.h>
#include <zeta/ops.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

template <class Function>
std::string error_of(Function const& function) {
  try {
    function();
  } catch (c10::Error const& error) {
    return error.what_without_backtrace();
  }
  return "";
}

TEST(SparseSoftmax, ProjectsOnTheSimplex) {
  auto const z = torch::tensor({2.0, 1.5, 0.1, -1.0, 3.2, 0.7});
  EXPECT_TRUE(torch::equal(zeta::sparse_softmax(z), torch::tensor({0., 0., 0., 0., 1., 0.})));
  auto const three = zeta::sparse_softmax(torch::tensor({1.0, 0.9, 0.8, 0.7}), 3);
  auto const expected = torch::tensor({1.3, 1.0, 0.7, 0.0}) / 3;
  EXPECT_TRUE(torch::allclose(three, expected));
}

TEST(SparseSoftmax, TakesKDimAndDtype) {
  auto const z = torch::randn({4, 5, 6}, torch::kHalf);
  auto const weights = zeta::sparse_softmax(z, 2, 1, torch::kFloat);
  EXPECT_EQ(weights.scalar_type(), torch::kFloat);
  EXPECT_TRUE(torch::allclose(weights.sum(1), torch::ones({4, 6})));
  EXPECT_LE((weights != 0).sum(1).max().item<int64_t>(), 2);
}

TEST(SparseSoftmax, WritesToOut) {
  auto const z = torch::randn({4, 5});
  auto out = torch::empty({0});
  EXPECT_TRUE(zeta::sparse_softmax_out(out, z).is_same(out));
  EXPECT_TRUE(torch::equal(out, zeta::sparse_softmax(z)));
}

TEST(SparseSoftmax, HasGradientsOfEveryOrder) {
  auto const z = torch::tensor({0.1, 0.2, 0.3, -5.0}, torch::kDouble).requires_grad_();
  auto const g = torch::tensor({1.0, 2.0, 6.0, 100.0}, torch::kDouble).requires_grad_();
  auto const weights = zeta::sparse_softmax(z);
  auto const grad = torch::autograd::grad({weights}, {z}, {g}, true, true)[0];
  EXPECT_TRUE(torch::allclose(grad, torch::tensor({-2.0, -1.0, 3.0, 0.0}, torch::kDouble)));
  auto const second = torch::autograd::grad({grad.square().sum()}, {g})[0];
  EXPECT_TRUE(torch::allclose(second, 2 * grad.detach()));
}

TEST(SparseSoftmax, TrainsALayer) {
  torch::manual_seed(0);
  auto const inputs = torch::randn({64, 8});
  auto const targets = inputs.argmax(1);
  torch::nn::Linear layer(8, 8);
  torch::optim::Adam optimizer(layer->parameters(), 0.05);
  auto loss_now = [&] {
    auto const weights = zeta::sparse_softmax(layer->forward(inputs), 4);
    return (weights - torch::one_hot(targets, 8)).square().sum(1).mean();
  };
  double const before = loss_now().item<double>();
  for (int step = 0; step < 100; ++step) {
    optimizer.zero_grad();
    loss_now().backward();
    optimizer.step();
  }
  EXPECT_LT(loss_now().item<double>(), 0.5 * before);
}

TEST(SparseSoftmax, NamesWhatIsWrong) {
  auto const z = torch::randn({2, 3});
  EXPECT_EQ(error_of([&] { zeta::sparse_softmax(z, 0); }),
            "sparse_softmax: expected k to be at least 1, but got 0");
  EXPECT_THROW(zeta::sparse_softmax(z, 3, 2), c10::IndexError);
  EXPECT_NE(error_of([&] { zeta::sparse_softmax(z.to(torch::kInt)); }).find("Int"),
            std::string::npos);
  auto out = torch::empty({2, 3}, torch::kDouble);
  EXPECT_EQ(error_of([&] { zeta::sparse_softmax_out(out, z); }),
            "sparse_softmax: Expected out tensor to have dtype Float, but got Double instead");
}

TEST(SparseSoftmax, RunsOnMetaTensors) {
  auto const z = torch::empty({4, 5}, torch::device(torch::kMeta)).transpose(0, 1);
  auto const weights = zeta::sparse_softmax(z, 2, 0);
  EXPECT_EQ(weights.sizes(), z.sizes());
  EXPECT_EQ(weights.strides(), z.strides());
  EXPECT_NE(error_of([&] { zeta::sparse_softmax(z, -1); }), "");
}

TEST(SparseSoftmax, HasTheDtypeOfSoftmaxUnderAutocast) {
  std::vector<c10::DeviceType> devices = {torch::kCPU};
  if (torch::cuda::is_available()) devices.push_back(torch::kCUDA);
  for (auto const device : devices) {
    auto const z = torch::randn({4, 5}, torch::device(device).dtype(torch::kHalf));
    at::autocast::set_autocast_enabled(device, true);
    auto const dtype = zeta::sparse_softmax(z).scalar_type();
    auto const dtype_of_softmax = torch::softmax(z, -1).scalar_type();
    at::autocast::set_autocast_enabled(device, false);
    EXPECT_EQ(dtype, dtype_of_softmax);
  }
}

// Of rows enough for several threads: the error is the caller's, not one of theirs.
void print_error_of_call() {
  auto const z = torch::ones({1024, 1024});
  try {
    zeta::sparse_softmax(z);
  } catch (std::runtime_error const& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(2);
  }
  std::_Exit(0);
}

// The environment is read as the library is loaded, so in a process of its own.
void expect_error_with(char const* variable, char const* value, char const* error) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  setenv(variable, value, /*overwrite=*/1);
  EXPECT_EXIT(print_error_of_call(), testing::ExitedWithCode(2), error);
  unsetenv(variable);
}

TEST(SparseSoftmaxDeathTest, FirstCallNamesWhatIsWrongInTheEnvironment) {
  expect_error_with("ZETA_CPU_CAPABILITY", "sse9",
                    "^ZETA_CPU_CAPABILITY: expected default, avx2 or avx512, but got sse9$");
  expect_error_with("ZETA_HUGE_PAGES", "yes", "^ZETA_HUGE_PAGES: expected 0 or 1, but got yes$");
}

}  // namespace
