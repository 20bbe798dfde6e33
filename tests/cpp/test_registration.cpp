// Includes no header of zeta and uses no symbol of it: the operator must be there all the same.
#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <memory>

namespace {

TEST(Registration, TheDispatcherKnowsTheOperatorByName) {
  auto const schema = c10::Dispatcher::singleton().findSchema({"zeta::sparse_softmax", ""});
  ASSERT_TRUE(schema.has_value());
  torch::jit::Stack stack = {torch::tensor({1.0, 3.0}), 1, -1, torch::IValue(), torch::IValue()};
  schema->callBoxed(stack);
  EXPECT_TRUE(torch::equal(stack[0].toTensor(), torch::tensor({0.0, 1.0})));
}

TEST(Registration, TorchScriptKnowsTheOperatorByName) {
  auto const graph = std::make_shared<torch::jit::Graph>();
  torch::jit::parseIR(R"(
graph(%z : Tensor):
  %k : int = prim::Constant[value=1]()
  %dim : int = prim::Constant[value=-1]()
  %none : NoneType = prim::Constant()
  %weights : Tensor = zeta::sparse_softmax(%z, %k, %dim, %none, %none)
  return (%weights)
)",
                      graph.get());
  torch::jit::Stack stack = {torch::tensor({1.0, 3.0})};
  torch::jit::GraphExecutor(graph, "first").run(stack);
  EXPECT_TRUE(torch::equal(stack[0].toTensor(), torch::tensor({0.0, 1.0})));
}

}  // namespace
