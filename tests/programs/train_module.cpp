// Trains a TorchScript module that Python saved, saves it, and loads it again to run it frozen,
// with no Python in the process. The batch is a list by torch.save, of inputs and targets. Prints
// the loss before each step. The outputs are a tuple for torch.load: of the module as it came, of
// the trained one frozen, and of that one optimized for inference.
#include <torch/optim/sgd.h>
#include <torch/script.h>

#include <exception>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "pickle_file.h"

namespace {

constexpr int kSteps = 30;
constexpr double kLearningRate = 0.1;

at::Tensor evaluate(torch::jit::Module& module, at::Tensor const& inputs) {
  c10::InferenceMode const inference_mode;
  return module.forward({inputs}).toTensor();
}

void train(torch::jit::Module& module, at::Tensor const& inputs, at::Tensor const& targets) {
  std::vector<at::Tensor> parameters;
  for (at::Tensor const& parameter : module.parameters()) parameters.push_back(parameter);
  torch::optim::SGD optimizer(parameters, kLearningRate);
  std::cout << std::setprecision(9);
  for (int step = 0; step < kSteps; ++step) {
    optimizer.zero_grad();
    auto const loss = at::mse_loss(module.forward({inputs}).toTensor(), targets);
    loss.backward();
    optimizer.step();
    std::cout << loss.item<double>() << '\n';
  }
}

void run(std::string const& module_path, std::string const& batch_path,
         std::string const& trained_path, std::string const& outputs_path) {
  auto const batch = read_pickle(batch_path);
  auto module = torch::jit::load(module_path);
  auto const device = (*module.parameters().begin()).device();
  auto const inputs = batch.toListRef()[0].toTensor().to(device);
  auto const targets = batch.toListRef()[1].toTensor().to(device);

  auto const untrained_outputs = evaluate(module, inputs);
  train(module, inputs, targets);
  module.save(trained_path);

  auto trained = torch::jit::load(trained_path);
  trained.eval();
  auto frozen = torch::jit::freeze(trained);
  auto optimized = torch::jit::optimize_for_inference(trained);
  write_pickle(outputs_path,
               {untrained_outputs, evaluate(frozen, inputs), evaluate(optimized, inputs)});
}

}  // namespace

int main(int const count, char const* const* const arguments) {
  if (count != 5) {
    std::cerr << "usage: " << arguments[0] << " MODULE.pt BATCH.pt TRAINED.pt OUTPUTS.pt\n";
    return 2;
  }
  try {
    run(arguments[1], arguments[2], arguments[3], arguments[4]);
  } catch (std::exception const& error) {
    std::cerr << arguments[0] << ": " << error.what() << '\n';
    return 1;
  }
}
