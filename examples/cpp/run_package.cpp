// Runs a package that torch._inductor.aoti_compile_and_package wrote, on batches of several sizes.
// The package calls the operator by its name; linking zeta::zeta has registered it.
#include <ATen/Parallel.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "digits.h"
#include "run_main.h"

namespace {

at::Tensor logits_of(torch::inductor::AOTIModelPackageLoader& classifier, Digits const& test,
                     int64_t const batch) {
  std::vector<at::Tensor> logits;
  for (auto const& digits : batches(test, batch)) {
    logits.push_back(classifier.run({digits.images})[0]);
  }
  return at::cat(logits);
}

void run(Arguments const& arguments) {
  at::set_num_threads(1);  // Batches this small gain nothing from more.
  c10::InferenceMode const inference_mode;
  if (!std::ifstream(arguments[0])) throw std::runtime_error("cannot open " + arguments[0]);
  torch::inductor::AOTIModelPackageLoader classifier(arguments[0]);
  c10::Device const device(classifier.get_metadata().at("AOTI_DEVICE_KEY"));
  auto const test = read_digits(arguments[1], device).test;

  auto const logits = logits_of(classifier, test, test.labels.size(0));
  for (int64_t const batch : {1, 7, 64}) {
    auto const batch_logits = logits_of(classifier, test, batch);
    if (!at::allclose(batch_logits, logits, 1e-4, 1e-4)) {
      throw std::runtime_error("batches of " + std::to_string(batch) + " give other logits");
    }
    std::printf("batches of %2d: %.1f %% of held-out images right\n", static_cast<int>(batch),
                100 * accuracy(batch_logits, test.labels));
  }
}

}  // namespace

int main(int const count, char const* const* const words) {
  return run_main<2>(count, words, "PACKAGE.pt2 DIGITS.pt", run);
}
