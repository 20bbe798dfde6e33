#include <gtest/gtest.h>
#include <torch/torch.h>
#include <zeta/ops.h>

#include <cmath>
#include <string>
#include <tuple>

// The functions of the installed header for the other members of the family.
namespace {

at::Tensor logits() { return torch::tensor({2.0, 1.0, 0.0, -1.0}, torch::kDouble); }

TEST(TopKSoftmax, IsTheSoftmaxOfTheLargest) {
  auto const two = torch::softmax(logits().slice(0, 0, 2), 0);
  auto const weights = zeta::topk_softmax(logits(), 2);
  EXPECT_TRUE(torch::allclose(weights.slice(0, 0, 2), two));
  EXPECT_EQ(weights.count_nonzero().item<int64_t>(), 2);
  EXPECT_TRUE(torch::allclose(zeta::topk_softmax(logits(), 4), torch::softmax(logits(), 0)));
  auto out = torch::empty({0}, torch::kDouble);
  EXPECT_TRUE(torch::equal(zeta::topk_softmax_out(out, logits(), 2), weights));
}

TEST(Entmax, HoldsTheOtherMembers) {
  EXPECT_TRUE(torch::equal(zeta::entmax(logits(), 1, 2), zeta::topk_softmax(logits(), 2)));
  EXPECT_TRUE(torch::equal(zeta::entmax(logits(), 2), zeta::sparse_softmax(logits(), 4)));
  auto const weights = zeta::entmax(logits());  // with alpha = 1.5 and no k
  auto const squares = (logits() / 2 - 0.08859).clamp_min(0).square();
  EXPECT_TRUE(torch::allclose(weights, squares, 1e-4, 1e-4));
  auto out = torch::empty({0}, torch::kDouble);
  EXPECT_TRUE(torch::equal(zeta::entmax_out(out, logits()), weights));
}

TEST(Entmax, HasANameOfItsOwnForOneAndAHalf) {
  EXPECT_TRUE(torch::equal(zeta::entmax15(logits(), 2), zeta::entmax(logits(), 1.5, 2)));
  auto const [values, indices] = zeta::entmax15_compact(logits());
  EXPECT_TRUE(torch::equal(values, zeta::entmax(logits())));
  EXPECT_EQ(indices.slice(0, 2).max().item<int64_t>(), -1);
}

TEST(Entmax, TakesAnAlphaForEachRow) {
  auto const alpha = torch::tensor({1.25, 2.0}, torch::kDouble).unsqueeze(1).requires_grad_();
  auto const weights = zeta::entmax(logits().repeat({2, 1}), alpha);
  EXPECT_TRUE(torch::equal(weights[0], zeta::entmax(logits(), 1.25)));
  EXPECT_TRUE(torch::equal(weights[1], zeta::entmax(logits(), 2)));
  auto out = torch::empty({0}, torch::kDouble);
  EXPECT_TRUE(
      torch::equal(zeta::entmax_out(out, logits().repeat({2, 1}), alpha.detach()), weights));
  auto const [values, indices] = zeta::entmax_compact(logits().repeat({2, 1}), alpha);
  EXPECT_TRUE(torch::equal(values, weights));  // the logits descend
  EXPECT_TRUE(torch::equal(indices[1], torch::tensor({0, -1, -1, -1})));
  weights.select(1, 0).sum().backward();
  EXPECT_GT(alpha.grad()[0].item<double>(), 0);  // a larger alpha is nearer to the maximum
}

TEST(Entmax, HasDerivativesOfBothOrders) {
  auto const z = logits().requires_grad_();
  auto const weights = zeta::entmax(z, 1);
  auto const ours = torch::autograd::grad({weights.pow(3).sum()}, {z}, {}, true, true)[0];
  auto const others =
      torch::autograd::grad({torch::softmax(z, 0).pow(3).sum()}, {z}, {}, true, true)[0];
  EXPECT_TRUE(torch::allclose(ours, others));
  EXPECT_TRUE(torch::allclose(torch::autograd::grad({ours.square().sum()}, {z})[0],
                              torch::autograd::grad({others.square().sum()}, {z})[0]));
}

TEST(Entmax, RefusesOtherAlphas) {
  for (double const alpha : {0.5, 1.001, 2.5}) {
    try {
      zeta::entmax(logits(), alpha);
      FAIL();
    } catch (c10::Error const& error) {
      EXPECT_EQ(std::string(error.what_without_backtrace()).find("entmax: expected alpha to be"),
                0);
    }
  }
}

TEST(Compact, HoldsTheNonZeroWeights) {
  auto const z = logits().requires_grad_();
  auto const weights = zeta::sparse_softmax(z, 3);
  auto const [values, indices] = zeta::sparse_softmax_compact(z, 3);
  EXPECT_TRUE(torch::equal(indices, torch::tensor({0, -1, -1})));
  EXPECT_TRUE(torch::equal(values, weights.slice(0, 0, 3)));
  auto const [chosen, places] = zeta::topk_softmax_compact(z, 2);
  EXPECT_TRUE(torch::equal(chosen, zeta::topk_softmax(z, 2).gather(0, places)));
  auto const direction = torch::tensor({1.0, 3.0}, torch::kDouble);
  auto const grad = torch::autograd::grad({chosen}, {z}, {direction})[0];
  auto const dense = torch::autograd::grad({zeta::topk_softmax(z, 2)}, {z},
                                           {torch::constant_pad_nd(direction, {0, 2})})[0];
  EXPECT_TRUE(torch::equal(grad, dense));
  EXPECT_EQ(std::get<0>(zeta::entmax_compact(z)).sizes(), z.sizes());
}

// Of all members and forms: the weights of the entries that a mask leaves, and 0 for one that is no
// number.
TEST(Mask, LeavesEntriesOut) {
  auto const not_a_number = torch::full({1}, NAN, torch::kDouble);
  auto const z = torch::cat({not_a_number, logits()});
  auto const mask = torch::tensor({false, true, true, true, true});
  auto const alpha = torch::tensor(1.25);
  auto const is_padded = [](at::Tensor const& weights, at::Tensor const& of_rest) {
    return torch::equal(weights, torch::constant_pad_nd(of_rest, {1, 0}));
  };
  auto const is_compact = [](std::tuple<at::Tensor, at::Tensor> const& compact,
                             at::Tensor const& of_rest) {
    auto const& [values, indices] = compact;
    auto const columns = torch::where(of_rest > 0, torch::arange(1, 5), -1);
    return torch::equal(values, of_rest) && torch::equal(indices, columns);
  };
  auto out = torch::empty({0}, torch::kDouble);

  auto of_rest = zeta::sparse_softmax(logits(), 4);
  EXPECT_TRUE(is_padded(zeta::sparse_softmax(z, 4, -1, {}, mask), of_rest));
  EXPECT_TRUE(is_padded(zeta::sparse_softmax_out(out, z, 4, -1, {}, mask), of_rest));
  EXPECT_TRUE(is_compact(zeta::sparse_softmax_compact(z, 4, -1, {}, mask), of_rest));

  of_rest = zeta::topk_softmax(logits(), 4);
  EXPECT_TRUE(is_padded(zeta::topk_softmax(z, 4, -1, {}, mask), of_rest));
  EXPECT_TRUE(is_padded(zeta::topk_softmax_out(out, z, 4, -1, {}, mask), of_rest));
  EXPECT_TRUE(is_compact(zeta::topk_softmax_compact(z, 4, -1, {}, mask), of_rest));

  of_rest = zeta::entmax15(logits());
  EXPECT_TRUE(is_padded(zeta::entmax15(z, {}, -1, {}, mask), of_rest));
  EXPECT_TRUE(is_padded(zeta::entmax(z, 1.5, {}, -1, {}, mask), of_rest));
  EXPECT_TRUE(is_padded(zeta::entmax_out(out, z, 1.5, {}, -1, {}, mask), of_rest));
  EXPECT_TRUE(is_compact(zeta::entmax15_compact(z, 4, -1, {}, mask), of_rest));

  of_rest = zeta::entmax(logits(), alpha);
  EXPECT_TRUE(is_padded(zeta::entmax(z, alpha, {}, -1, {}, mask), of_rest));
  EXPECT_TRUE(is_padded(zeta::entmax_out(out, z, alpha, {}, -1, {}, mask), of_rest));
  EXPECT_TRUE(is_compact(zeta::entmax_compact(z, alpha, 4, -1, {}, mask), of_rest));
}

TEST(Mask, IsRefusedInAnotherDtype) {
  try {
    zeta::sparse_softmax(logits(), 3, -1, {}, torch::ones(4));
    FAIL();
  } catch (c10::Error const& error) {
    EXPECT_EQ(std::string(error.what_without_backtrace())
                  .find("sparse_softmax: expected mask to have dtype Bool"),
              0);
  }
}

}  // namespace
