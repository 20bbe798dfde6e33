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
#include <vector>

// Makes nodes of autograd's graphs as PyTorch makes those of its own operators. With
// torch::autograd::Function they would take longer than everything else in a call for a few rows.
namespace zeta::ops {

using torch::autograd::variable_list;

struct GradientArguments {
  double alpha;
  int64_t dim;
  at::ScalarType grad_dtype;    // of the gradient that Operator::backward takes
  at::ScalarType result_dtype;  // of the gradient that it returns
};

// The node of an operator. It calls another operator, Operator::backward, with the incoming
// gradient and one saved tensor.
template <class Operator>
class GradientNode : public torch::autograd::Node {
 public:
  explicit GradientNode(GradientArguments const& arguments) : arguments_(arguments) {}

  void save(at::Tensor const& tensor, bool is_output) { saved_ = {tensor, is_output}; }

  // What grad_fn and profilers show.
  std::string name() const override { return Operator::node_name(arguments_.alpha); }

  void release_variables() override {
    std::lock_guard<std::mutex> const lock(mutex_);
    saved_.reset_data();
  }

  void compiled_args(torch::autograd::CompiledNodeArgs& key) const override {
    key.collect(saved_, /*is_output=*/true);  // since unpack() names this node, as for an output
    key.collect(arguments_.alpha);
    key.collect(arguments_.dim);
    key.collect(arguments_.grad_dtype);
    key.collect(arguments_.result_dtype);
  }

  // Records the backward in the graph of compiled autograd.
  variable_list apply_with_saved(variable_list const& grads,
                                 torch::autograd::SwapSavedVariables& swapped) override {
    namespace dynamo = torch::dynamo::autograd;
    auto const& compiler = dynamo::getPyCompilerInterface();
    auto const of_dtype = [](at::ScalarType dtype) { return static_cast<int64_t>(dtype); };
    swapped.before(saved_);
    auto const function =
        compiler->bind_function(swapped.get_py_compiler(), typeid(Operator).name(), &apply_recorded,
                                {at::TensorType::get(), at::IntType::get(), at::FloatType::get(),
                                 at::IntType::get(), at::IntType::get(), at::IntType::get()},
                                /*is_custom_function=*/true, /*is_traceable=*/true);
    auto results = compiler->call_function(
        swapped.get_py_compiler(), "apply_functional", function, grads,
        {unpack(), static_cast<int64_t>(num_outputs()), arguments_.alpha, arguments_.dim,
         of_dtype(arguments_.grad_dtype), of_dtype(arguments_.result_dtype)},
        dynamo::IValuePacker<std::vector<std::optional<torch::autograd::InputMetadata>>>::pack(
            dynamo::get_input_metadata(next_edges())));
    swapped.after(saved_);
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
  at::Tensor unpack() { return saved_.unpack(getptr()); }

  // Only the first input has a gradient.
  template <class Saved>
  static variable_list apply_to(variable_list const& grads, size_t inputs,
                                GradientArguments const& arguments, Saved const& saved) {
    variable_list results(inputs);
    if (!grads[0].defined()) return results;
    auto const& [alpha, dim, grad_dtype, result_dtype] = arguments;
    at::Tensor const grad =
        grads[0].scalar_type() == grad_dtype ? grads[0] : grads[0].to(grad_dtype);
    results[0] = Operator::backward(grad, saved(), alpha, dim, result_dtype);
    return results;
  }

  static variable_list apply_recorded(variable_list const& grads,
                                      std::vector<at::IValue> const& recorded) {
    GradientArguments const arguments = {recorded[2].toDouble(), recorded[3].toInt(),
                                         recorded[4].toScalarType(), recorded[5].toScalarType()};
    return apply_to(grads, recorded[1].toInt(), arguments, [&] { return recorded[0].toTensor(); });
  }

  GradientArguments arguments_;
  torch::autograd::SavedVariable saved_;
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

// Tells autograd that `Operator` made `output` from `inputs` and that its backward reads `saved`.
template <class Operator, class... Inputs>
void set_gradient(at::Tensor const& output, at::Tensor const& saved,
                  GradientArguments const& arguments, Inputs const&... inputs) {
  auto const node = make_node<GradientNode<Operator>>(arguments);
  node->set_next_edges(torch::autograd::collect_next_edges(inputs...));
  decltype(torch::autograd::Edge::function) const pointer = node;
  torch::autograd::set_history(output, pointer);
  node->save(saved, saved.is_same(output));
  call_creation_hooks(pointer);
}

}  // namespace zeta::ops
