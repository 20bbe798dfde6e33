#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/jit_type.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/dynamo/compiled_autograd.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

// Makes nodes of autograd's graphs as PyTorch makes those of its own operators. With
// torch::autograd::Function they would take longer than everything else in a call for a few rows.
namespace zeta::ops {

using torch::autograd::variable_list;

// What a call of family::backward() takes beside tensors.
struct GradientArguments {
  double alpha;
  int64_t dim;
  at::ScalarType grad_dtype;    // of the gradient that a node gives to Operator::backward
  at::ScalarType result_dtype;  // of the gradient that it returns
  std::optional<c10::SymInt> length;
};

// The node of an operator. Operator::backward(grad, saved, arguments, results) takes the incoming
// gradient and the tensors that the node has saved, and sets those results, one for each input,
// that are needed and not zero.
template <class Operator>
class GradientNode : public torch::autograd::Node {
 public:
  explicit GradientNode(GradientArguments const& arguments) : arguments_(arguments) {}

  void save(at::Tensor const& tensor, bool is_output) { saved_.emplace_back(tensor, is_output); }

  // What grad_fn and profilers show.
  std::string name() const override { return Operator::node_name(arguments_.alpha); }

  void release_variables() override {
    std::lock_guard<std::mutex> const lock(mutex_);
    for (auto& variable : saved_) variable.reset_data();
  }

  void compiled_args(torch::autograd::CompiledNodeArgs& key) const override {
    // As outputs, since unpack() names this node.
    key.collect(c10::ArrayRef<SavedVariable>(saved_), /*is_output=*/true);
    key.collect(arguments_.alpha);
    key.collect(arguments_.dim);
    key.collect(arguments_.grad_dtype);
    key.collect(arguments_.result_dtype);
    key.collect(arguments_.length);
  }

  // Records the backward in the graph of compiled autograd.
  variable_list apply_with_saved(variable_list const& grads,
                                 torch::autograd::SwapSavedVariables& swapped) override {
    namespace dynamo = torch::dynamo::autograd;
    using Length = dynamo::IValuePacker<std::optional<c10::SymInt>>;
    auto const& compiler = dynamo::getPyCompilerInterface();
    auto const of_dtype = [](at::ScalarType dtype) { return static_cast<int64_t>(dtype); };
    swapped.before(saved_);
    swapped.before(arguments_.length);
    auto const function = compiler->bind_function(
        swapped.get_py_compiler(), typeid(Operator).name(), &apply_recorded,
        {at::ListType::ofTensors(), at::IntType::get(), at::FloatType::get(), at::IntType::get(),
         at::IntType::get(), at::IntType::get(), Length::packed_type()},
        /*is_custom_function=*/true, /*is_traceable=*/true);
    auto results = compiler->call_function(
        swapped.get_py_compiler(), "apply_functional", function, grads,
        {unpack(), static_cast<int64_t>(num_outputs()), arguments_.alpha, arguments_.dim,
         of_dtype(arguments_.grad_dtype), of_dtype(arguments_.result_dtype),
         Length::pack(arguments_.length)},
        dynamo::IValuePacker<std::vector<std::optional<torch::autograd::InputMetadata>>>::pack(
            dynamo::get_input_metadata(next_edges())));
    swapped.after(saved_);
    swapped.after(arguments_.length);
    return results;
  }

 protected:
  variable_list apply(variable_list&& grads) override {
    return apply_to(grads, num_outputs(), arguments_, [&] {
      std::lock_guard<std::mutex> const lock(mutex_);
      return unpack();
    });
  }

 private:
  using SavedVariable = torch::autograd::SavedVariable;

  variable_list unpack() {
    variable_list tensors;
    for (auto const& variable : saved_) tensors.push_back(variable.unpack(getptr()));
    return tensors;
  }

  template <class Saved>
  static variable_list apply_to(variable_list const& grads, size_t inputs,
                                GradientArguments const& arguments, Saved const& saved) {
    variable_list results(inputs);
    if (!grads[0].defined()) return results;
    at::Tensor const grad = grads[0].scalar_type() == arguments.grad_dtype
                                ? grads[0]
                                : grads[0].to(arguments.grad_dtype);
    Operator::backward(grad, saved(), arguments, results);
    return results;
  }

  static variable_list apply_recorded(variable_list const& grads,
                                      std::vector<at::IValue> const& recorded) {
    GradientArguments const arguments = {recorded[2].toDouble(), recorded[3].toInt(),
                                         recorded[4].toScalarType(), recorded[5].toScalarType(),
                                         recorded[6].toOptional<c10::SymInt>()};
    return apply_to(grads, recorded[1].toInt(), arguments,
                    [&] { return recorded[0].toTensorVector(); });
  }

  GradientArguments arguments_;
  c10::SmallVector<SavedVariable, 2> saved_;
};

// Makes a node and returns the kind of pointer by which this version of PyTorch holds it.
template <class Node, class... Arguments>
auto make_node(Arguments const&... arguments) {
  using Pointer = decltype(torch::autograd::Edge::function);
  if constexpr (std::is_same_v<Pointer, std::shared_ptr<torch::autograd::Node>>) {
    return std::shared_ptr<Node>(new Node(arguments...), [](Node* node) { deleteNode(node); });
  } else {
    return c10::make_intrusive<Node>(arguments...);
  }
}

template <class Pointer>
void call_creation_hooks(Pointer const& node) {
  if constexpr (requires { fire_node_creation_hooks(node); }) fire_node_creation_hooks(node);
}

template <class Operator>
using GradientNodePointer =
    decltype(make_node<GradientNode<Operator>>(std::declval<GradientArguments>()));

// Tells autograd that `Operator` made `output` from `inputs`. Returns the node, for save().
template <class Operator, class... Inputs>
GradientNodePointer<Operator> set_gradient(at::Tensor const& output,
                                           GradientArguments const& arguments,
                                           Inputs const&... inputs) {
  auto const node = make_node<GradientNode<Operator>>(arguments);
  node->set_next_edges(torch::autograd::collect_next_edges(inputs...));
  torch::autograd::set_history(output, decltype(torch::autograd::Edge::function)(node));
  return node;
}

// Saves what the backward of `output` reads. A tensor is saved with the tangent that it has.
template <class Pointer>
void save(Pointer const& node, at::Tensor const& output, at::TensorList saved) {
  for (at::Tensor const& tensor : saved) node->save(tensor, tensor.is_same(output));
  call_creation_hooks(decltype(torch::autograd::Edge::function)(node));
}

}  // namespace zeta::ops
