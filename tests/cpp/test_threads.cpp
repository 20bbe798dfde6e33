// Each test is a process of its own in ctest, so that each makes first calls.
#include <gtest/gtest.h>
#include <torch/torch.h>
#include <zeta/ops.h>

#include <cmath>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>

#ifdef __SANITIZE_THREAD__
#include "../sanitizers/parallel_for.h"
#endif

namespace {

constexpr int kCallers = 4;

// Calls function(0), function(1), ..., each in a thread of its own, at once.
template <class Function>
void call_at_once(Function const& function) {
  std::latch start(kCallers);
  std::vector<std::thread> threads;
  for (int caller = 0; caller < kCallers; ++caller) {
    threads.emplace_back([&, caller] {
      start.arrive_and_wait();
      function(caller);
    });
  }
  for (auto& thread : threads) thread.join();
}

struct Result {
  at::Tensor weights;
  at::Tensor grad;
};

// Of the weights, and different from column to column.
at::Tensor grad_weights_like(at::Tensor const& z) {
  return torch::arange(z.size(-1)).remainder(7).to(z.scalar_type()).expand_as(z);
}

Result weights_and_grad(at::Tensor const& logits, int64_t k) {
  auto const z = logits.detach().requires_grad_();
  auto const weights = zeta::sparse_softmax(z, k);
  return {weights.detach(), torch::autograd::grad({weights}, {z}, {grad_weights_like(logits)})[0]};
}

void expect_equal(Result const& actual, Result const& expected) {
  EXPECT_TRUE(torch::equal(actual.weights, expected.weights));
  EXPECT_TRUE(torch::equal(actual.grad, expected.grad));
}

// Rows that are taken by ranges, and rows that are taken in parts. Of 4 MiB and more, for which
// huge pages are asked for.
std::vector<at::Tensor> inputs() {
  torch::manual_seed(0);
  return {torch::randn({4096, 300}), torch::randn({3, 400000}),
          torch::randn({300, 1100}, torch::kDouble), torch::randn({2, 200000}, torch::kHalf),
          torch::randn({300, 1100}).to(torch::kBFloat16)};
}

class Threads : public testing::Test {
 protected:
  Threads() { at::set_num_threads(3); }
};

TEST_F(Threads, FirstCallsAtOnce) {
  for (auto const& z : inputs()) {
    std::vector<Result> results(kCallers);
    call_at_once([&](int caller) { results[caller] = weights_and_grad(z, 5); });
    auto const expected = weights_and_grad(z, 5);
    for (auto const& result : results) expect_equal(result, expected);
  }
}

TEST_F(Threads, FirstCallsOfDifferentOperatorsAtOnce) {
  auto const z = torch::randn({300, 1100});
  auto out = torch::empty_like(z);
  Result result;
  call_at_once([&](int caller) {
    if (caller == 0) result = weights_and_grad(z, 5);
    if (caller == 1) zeta::sparse_softmax_out(out, z, 5);
    if (caller == 2) zeta::sparse_softmax(z.to(torch::kDouble), 5);
    if (caller == 3) zeta::sparse_softmax(torch::empty({4, 5}, torch::device(torch::kMeta)));
  });
  expect_equal({out, result.grad}, weights_and_grad(z, 5));
}

TEST_F(Threads, EachOnAGraphOfItsOwn) {
  auto const all = inputs();
  std::vector<Result> expected;
  for (auto const& z : all) expected.push_back(weights_and_grad(z, 40));
  call_at_once([&](int caller) {
    for (size_t i = 0; i < all.size(); ++i) {
      size_t const chosen = (i + static_cast<size_t>(caller)) % all.size();
      expect_equal(weights_and_grad(all[chosen], 40), expected[chosen]);
    }
  });
}

TEST_F(Threads, AllOnOneGraph) {
  for (auto const& input : inputs()) {
    auto const z = input.detach().requires_grad_();
    auto const g = grad_weights_like(input).contiguous().requires_grad_();
    auto const weights = zeta::sparse_softmax(z, 5);
    std::vector<at::Tensor> grads(kCallers);
    std::vector<at::Tensor> seconds(kCallers);
    call_at_once([&](int caller) {
      grads[caller] = torch::autograd::grad({weights}, {z}, {g}, /*retain_graph=*/true,
                                            /*create_graph=*/true)[0];
      seconds[caller] = torch::autograd::grad({grads[caller].square().sum()}, {g})[0];
    });
    auto const expected = weights_and_grad(input, 5).grad;
    // The backward is linear in g and symmetric, which makes this the derivative of its squares'
    // sum.
    auto const second = torch::autograd::grad({weights}, {z}, {2 * expected})[0];
    for (int caller = 0; caller < kCallers; ++caller) {
      EXPECT_TRUE(torch::equal(grads[caller], expected));
      EXPECT_TRUE(torch::equal(seconds[caller], second));
    }
  }
}

// Few candidates, and so many that passes over the row take their place; NaN in one of the parts.
TEST_F(Threads, RowsInPartsHaveTheBitsOfTheWhole) {
  for (auto const dtype : {torch::kFloat, torch::kDouble, torch::kHalf, torch::kBFloat16}) {
    auto z = torch::randn({2, 300000}, dtype) * torch::tensor({{1.0}, {0.001}}).to(dtype);
    for (int64_t const k : {3, 300000}) {
      at::set_num_threads(1);
      auto const expected = zeta::sparse_softmax(z, k);
      at::set_num_threads(3);
      call_at_once([&](int) { EXPECT_TRUE(torch::equal(zeta::sparse_softmax(z, k), expected)); });
    }
    z[1][200000] = NAN;
    call_at_once([&](int) { EXPECT_TRUE(zeta::sparse_softmax(z)[1].isnan().all().item<bool>()); });
  }
}

}  // namespace
