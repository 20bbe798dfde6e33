// Includes no header of zeta and uses no symbol of it: the operator must be there all the same.
#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/torch.h>

namespace {

TEST(Registration, TheDispatcherKnowsTheOperatorByName) {
  auto const schema = c10::Dispatcher::singleton().findSchema({"zeta::sparse_softmax", ""});
  ASSERT_TRUE(schema.has_value());
  torch::jit::Stack stack = {torch::tensor({1.0, 3.0}), 1, -1, torch::IValue()};
  schema->callBoxed(stack);
  EXPECT_TRUE(torch::equal(stack[0].toTensor(), torch::tensor({0.0, 1.0})));
}

TEST(Registration, TorchScriptKnowsTheOperatorByName) {
  auto const unit = torch::jit::compile(R"(
def first(z):
    return torch.ops.zeta.sparse_softmax(z, k=1)
)");
  auto const result = unit->run_method("first", torch::tensor({1.0, 3.0})).toTensor();
  EXPECT_TRUE(torch::equal(result, torch::tensor({0.0, 1.0})));
}

}  // namespace
