// Trains a classifier of handwritten digits that is written in C++, saves it, and loads it again.
#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/optim/adamw.h>
#include <torch/serialize.h>

#include <charconv>
#include <cstdio>
#include <stdexcept>
#include <system_error>

#include "attention_classifier.h"
#include "digits.h"
#include "run_main.h"

namespace {

constexpr int kSeed = 0;
constexpr int kBatch = 64;
constexpr double kLearningRate = 3e-3;

int parse_epochs(std::string const& text) {
  int epochs = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), epochs);
  if (error != std::errc() || end != text.data() + text.size() || epochs < 1) {
    throw std::invalid_argument("EPOCHS must be a whole number from 1 on, but is " + text);
  }
  return epochs;
}

Digits shuffle(Digits const& digits) {
  auto const order = at::randperm(digits.labels.size(0), digits.labels.options());
  return {digits.images.index_select(0, order), digits.labels.index_select(0, order)};
}

void train(AttentionClassifier classifier, Digits const& digits, int const epochs) {
  torch::optim::AdamW optimizer(classifier->parameters(), kLearningRate);
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    double const part_left = 1 - (epoch - 1.0) / epochs;
    optimizer.param_groups()[0].options().set_lr(kLearningRate * part_left);
    double total_loss = 0;
    for (auto const& [images, labels] : batches(shuffle(digits), kBatch)) {
      optimizer.zero_grad();
      auto const loss = at::cross_entropy_loss(classifier(images).logits, labels);
      loss.backward();
      optimizer.step();
      total_loss += loss.item<double>() * labels.size(0);
    }
    if (epoch % 5 == 0 || epoch == epochs) {
      std::printf("epoch %2d: loss %.4f\n", epoch, total_loss / digits.labels.size(0));
    }
  }
}

Classification classify(AttentionClassifier classifier, at::Tensor const& images) {
  c10::InferenceMode const inference_mode;
  return classifier(images);
}

void run(Arguments const& arguments) {
  int const epochs = arguments.size() == 3 ? parse_epochs(arguments[2]) : 30;
  c10::Device const device = torch::cuda::is_available() ? at::kCUDA : at::kCPU;
  auto const digits = read_digits(arguments[0], device);

  at::set_num_threads(1);  // Batches this small gain nothing from more.
  torch::manual_seed(kSeed);
  AttentionClassifier classifier;
  classifier->to(device);
  train(classifier, digits.train, epochs);
  auto const [logits, weights] = classify(classifier, digits.test.images);
  std::printf("trained: %.1f %% of held-out images right, %.1f %% of weights exactly 0\n",
              100 * accuracy(logits, digits.test.labels),
              100 * (weights == 0).to(at::kDouble).mean().item<double>());

  torch::save(classifier, arguments[1]);
  AttentionClassifier loaded;
  torch::load(loaded, arguments[1], device);
  auto const loaded_logits = classify(loaded, digits.test.images).logits;
  if (!at::equal(loaded_logits, logits)) {
    throw std::runtime_error("the loaded classifier gives other logits");
  }
  std::printf("loaded:  %.1f %% of held-out images right\n",
              100 * accuracy(loaded_logits, digits.test.labels));
}

}  // namespace

int main(int const count, char const* const* const words) {
  return run_main<2, 3>(count, words, "DIGITS.pt TRAINED.pt [EPOCHS]", run);
}
