// Continues the training of a TorchScript module that Python saved, and saves the result. Then
// loads that file and runs it for inference alone. The module calls the operator by its name;
// linking zeta::zeta has registered it.
#include <ATen/Parallel.h>
#include <torch/optim/sgd.h>
#include <torch/script.h>

#include <cstdio>

#include "digits.h"
#include "run_main.h"

namespace {

constexpr int kEpochs = 10;
constexpr int kBatch = 64;
constexpr double kLearningRate = 0.1;

at::Tensor logits_of(torch::jit::Module& classifier, at::Tensor const& images) {
  return classifier.forward({images}).toTupleRef().elements()[0].toTensor();
}

double evaluate(torch::jit::Module& classifier, Digits const& test) {
  c10::InferenceMode const inference_mode;
  return accuracy(logits_of(classifier, test.images), test.labels);
}

void train(torch::jit::Module& classifier, Digits const& digits) {
  std::vector<at::Tensor> parameters;
  for (at::Tensor const& parameter : classifier.parameters()) parameters.push_back(parameter);
  torch::optim::SGD optimizer(parameters, kLearningRate);
  for (int epoch = 1; epoch <= kEpochs; ++epoch) {
    double total_loss = 0;
    for (auto const& [images, labels] : batches(digits, kBatch)) {
      optimizer.zero_grad();
      auto const loss = at::cross_entropy_loss(logits_of(classifier, images), labels);
      loss.backward();
      optimizer.step();
      total_loss += loss.item<double>() * labels.size(0);
    }
    std::printf("epoch %2d: loss %.9g\n", epoch, total_loss / digits.labels.size(0));
  }
}

void run(Arguments const& arguments) {
  at::set_num_threads(1);  // Batches this small gain nothing from more.
  auto classifier = torch::jit::load(arguments[0]);
  auto const device = (*classifier.parameters().begin()).device();
  auto const digits = read_digits(arguments[1], device);

  std::printf("before: %.1f %% of held-out images right\n",
              100 * evaluate(classifier, digits.test));
  train(classifier, digits.train);
  classifier.save(arguments[2]);

  auto loaded = torch::jit::load(arguments[2]);
  loaded.eval();
  auto optimized = torch::jit::optimize_for_inference(loaded);  // Freezes it first.
  std::printf("after:  %.1f %% of held-out images right\n", 100 * evaluate(optimized, digits.test));
}

}  // namespace

int main(int const count, char const* const* const words) {
  return run_main<3>(count, words, "MODULE.pt DIGITS.pt FINE_TUNED.pt", run);
}
