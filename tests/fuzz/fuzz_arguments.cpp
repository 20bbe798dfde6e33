#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "check.h"
#include "numbers.h"
#include "results.h"
#include "tensors.h"

// libFuzzer keeps an input that raises a byte here as it never was. The library has no counters of
// its own, so what came of a call stands for what it did.
__attribute__((section("__libfuzzer_extra_counters"))) uint8_t outcomes_seen[4096];

// Calls of every operator of zeta with any arguments, through the dispatcher. Each gives what the
// definition says or an error that names the operator, on tensors without memory as on others.
namespace zeta::fuzz {
namespace {

class QuietWarnings : public c10::WarningHandler {
  void process(c10::Warning const&) override {}
};

std::vector<c10::OperatorHandle> find_operators() {
  auto& dispatcher = c10::Dispatcher::singleton();
  std::vector<c10::OperatorName> names;
  for (auto const& name : dispatcher.getAllOpNames()) {
    if (name.name.starts_with("zeta::")) names.push_back(name);
  }
  std::sort(names.begin(), names.end(),
            [](auto const& a, auto const& b) { return toString(a) < toString(b); });
  std::vector<c10::OperatorHandle> operators;
  for (auto const& name : names) {
    auto const found = *dispatcher.findSchema(name);
    // Operators of version 0.1 have no kernel for the CPU: they call the family's, which their
    // errors name.
    if (found.hasKernelForDispatchKey(c10::DispatchKey::CPU)) operators.push_back(found);
  }
  if (operators.empty()) fail("libzeta is not loaded");
  return operators;
}

at::IValue any_value(Input& input, Tensors& tensors, c10::Argument const& argument) {
  if (argument.default_value() && input.ConsumeIntegralInRange(0, 3) == 0) {
    return *argument.default_value();
  }
  auto type = argument.real_type();
  if (auto const optional = type->cast<c10::OptionalType>()) {
    if (input.ConsumeBool()) return {};
    type = optional->getElementType();
  }
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      return tensors.any(argument.name() == "mask" ? std::optional(at::kBool) : std::nullopt);
    case c10::TypeKind::ScalarTypeType:
      return static_cast<int64_t>(any_dtype(input));
    case c10::TypeKind::FloatType:
      return input.ConsumeIntegralInRange(0, 7) == 0
                 ? input.ConsumeFloatingPoint<double>()
                 : input.PickValueInArray({2.0, 1.5, 1.0, 1.25});
    case c10::TypeKind::SymIntType:
    case c10::TypeKind::IntType:
      if (input.ConsumeIntegralInRange(0, 7) == 0) return input.ConsumeIntegral<int64_t>();
      return input.ConsumeIntegralInRange<int64_t>(-6, 10);
    default:
      fail("no argument is known of type ", type->str());
  }
}

struct Outcome {
  Stack results;
  std::string error;
};

Outcome outcome_of(c10::OperatorHandle const& called, Stack stack) {
  try {
    called.callBoxed(stack);
    return {stack, ""};
  } catch (c10::Error const& error) {
    return {{}, error.what_without_backtrace()};
  } catch (std::exception const& error) {
    fail(called.schema(), " threw what is no c10::Error: ", error.what());
  }
}

void count(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return '0' <= c && c <= '9'; }),
             text.end());
  ++outcomes_seen[std::hash<std::string>{}(text) % sizeof(outcomes_seen)];
}

// What torch says by itself: of an operator without a kernel or a formula, of memory and of dtypes
// without numbers.
bool is_of_torch(std::string const& error) {
  constexpr char const* kTexts[] = {
      "Could not run 'zeta::",
      "There were no tensor arguments to this function",
      "derivative for zeta::",
      "\" not implemented for '",
      "ZeroTensors are immutable",
      "tensor does not have a device",
      "unsupported operation: more than one element of the written-to tensor",
  };
  return std::any_of(std::begin(kTexts), std::end(kTexts),
                     [&](char const* text) { return error.find(text) != std::string::npos; });
}

void check_error(c10::OperatorHandle const& called, std::string const& error) {
  std::string const name = called.schema().name().substr(std::string("zeta::").size());
  bool const names_operator =
      error.starts_with(name + ": ") || error.starts_with(name + "(): functions with out=");
  if (!names_operator && !is_of_torch(error)) fail(called.schema(), " says: ", error);
}

bool is_plain(at::IValue const& value) {
  if (!value.isTensor()) return true;
  at::Tensor const& tensor = value.toTensor();
  return tensor.defined() && tensor.is_cpu() && tensor.layout() == at::kStrided &&
         !tensor.is_quantized() && !tensor.is_neg() && !tensor.is_conj() &&
         !tensor._is_zerotensor();
}

// Of the numbers, which a call may overwrite. Dtypes that torch cannot copy have none.
Stack copies(Stack stack) {
  for (at::IValue& value : stack) {
    if (!value.isTensor() || !value.toTensor().defined()) continue;
    try {
      value = value.toTensor().detach().clone();
    } catch (c10::Error const&) {
    }
  }
  return stack;
}

Stack without_memory(Stack const& stack) {
  Stack result;
  for (at::IValue const& value : stack) {
    if (!value.isTensor()) {
      result.push_back(value);
      continue;
    }
    at::Tensor const& tensor = value.toTensor();
    result.push_back(
        at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(at::kMeta))
            .set_requires_grad(tensor.requires_grad()));
  }
  return result;
}

// Only memory can show that arguments overlap, and the numbers in a tensor of alphas.
void check_same_form(c10::OperatorHandle const& called, Outcome const& outcome,
                     Outcome const& without_memory) {
  bool const is_of_memory = outcome.error.find("memory") != std::string::npos ||
                            outcome.error.find("expected alpha to be 1 or") != std::string::npos;
  if (outcome.error != without_memory.error && !is_of_memory && !is_of_torch(outcome.error)) {
    fail(called.schema(), " says: ", outcome.error, "\nbut without memory: ", without_memory.error);
  }
  for (size_t i = 0; i < outcome.results.size(); ++i) {
    at::Tensor const& result = outcome.results[i].toTensor();
    at::Tensor const& other = without_memory.results[i].toTensor();
    if (result.sizes() != other.sizes() || result.strides() != other.strides() ||
        result.scalar_type() != other.scalar_type()) {
      fail(called.schema(), " gives size ", result.sizes(), ", strides ", result.strides(), ", ",
           result.scalar_type(), "\nbut without memory ", other.sizes(), ", ", other.strides(),
           ", ", other.scalar_type());
    }
  }
}

// The gradient of whatever requires one.
void differentiate(c10::OperatorHandle const& called, at::Tensor const& result) {
  if (!result.requires_grad() || !result.is_floating_point() || result.is_meta()) return;
  try {
    result.backward(result.detach(), /*retain_graph=*/true);
  } catch (c10::Error const& error) {
    std::string const text = error.what_without_backtrace();
    count(text);
    if (!is_of_torch(text)) fail("the gradient of ", called.schema(), ": ", text);
  }
}

void check_call(c10::OperatorHandle const& called, Stack const& arguments, Tensors& tensors) {
  bool const are_plain = std::all_of(arguments.begin(), arguments.end(), is_plain);
  Stack const same_without_memory = are_plain ? without_memory(arguments) : Stack{};
  Stack const before = copies(arguments);
  Outcome const outcome = outcome_of(called, arguments);
  count(called.schema().name() + outcome.error);
  if (are_plain) {
    check_same_form(called, outcome, outcome_of(called, same_without_memory));
  }
  if (!outcome.error.empty()) return check_error(called, outcome.error);
  // Torch lets a kernel write to a copy of `out` that is a negative view, whatever that overlaps.
  if (std::all_of(outcome.results.begin(), outcome.results.end(), is_plain)) {
    check_results(called.schema(), before, outcome.results);
  }
  for (at::IValue const& result : outcome.results) {
    differentiate(called, result.toTensor());
    tensors.keep(result.toTensor());
  }
}

std::string described(at::IValue const& value) {
  std::ostringstream text;
  if (!value.isTensor() || !value.toTensor().defined()) {
    text << value;
    return text.str();
  }
  at::Tensor const& tensor = value.toTensor();
  text << tensor.sizes() << " of " << tensor.scalar_type() << ", " << tensor.key_set();
  if (tensor.layout() == at::kStrided) {
    text << ", strides " << tensor.strides() << " from " << tensor.storage_offset() << " in "
         << tensor.storage().data();
  }
  return text.str();
}

void call_any(Input& input, Tensors& tensors, c10::OperatorHandle const& called) {
  Stack arguments;
  std::string text = toString(called.operator_name());
  for (auto const& argument : called.schema().arguments()) {
    arguments.push_back(any_value(input, tensors, argument));
    text += "\n  " + argument.name() + ": " + described(arguments.back());
  }
  in_context([&] { check_call(called, arguments, tensors); }, "in ", text);
}

}  // namespace
}  // namespace zeta::fuzz

extern "C" int LLVMFuzzerTestOneInput(uint8_t const* data, size_t size) {
  static zeta::fuzz::QuietWarnings quiet;
  static auto const operators = [] {
    c10::WarningUtils::set_warning_handler(&quiet);
    at::set_num_threads(1);
    return zeta::fuzz::find_operators();
  }();
  zeta::fuzz::Input input(data, size);
  zeta::fuzz::Tensors tensors(input);
  for (int calls = input.ConsumeIntegralInRange(1, 4); calls > 0; --calls) {
    auto const last = operators.size() - 1;
    zeta::fuzz::call_any(input, tensors, operators[input.ConsumeIntegralInRange<size_t>(0, last)]);
  }
  return 0;
}
