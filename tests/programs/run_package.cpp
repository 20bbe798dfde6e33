// Runs a package that torch._inductor.aoti_compile_and_package wrote, with no Python in the
// process. The inputs are a list by torch.save, and in it a list of tensors for each call; the
// outputs are a tuple for torch.load, and in it a tuple of tensors for each call.
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <exception>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "pickle_file.h"

namespace {

void run(std::string const& package, std::string const& inputs_path,
         std::string const& outputs_path) {
  c10::InferenceMode const inference_mode;
  auto const calls = read_pickle(inputs_path);
  // Linking zeta::zeta has registered the operators that the package calls.
  torch::inductor::AOTIModelPackageLoader loader(package);
  c10::Device const device(loader.get_metadata().at("AOTI_DEVICE_KEY"));

  std::vector<c10::IValue> results;
  for (c10::IValue const& call : calls.toListRef()) {
    std::vector<at::Tensor> inputs;
    for (c10::IValue const& input : call.toListRef()) {
      inputs.push_back(input.toTensor().to(device));
    }
    auto const outputs = loader.run(inputs);
    results.emplace_back(c10::ivalue::Tuple::create({outputs.begin(), outputs.end()}));
  }
  write_pickle(outputs_path, std::move(results));
}

}  // namespace

int main(int const count, char const* const* const arguments) {
  if (count != 4) {
    std::cerr << "usage: " << arguments[0] << " PACKAGE.pt2 INPUTS.pt OUTPUTS.pt\n";
    return 2;
  }
  try {
    run(arguments[1], arguments[2], arguments[3]);
  } catch (std::exception const& error) {
    std::cerr << arguments[0] << ": " << error.what() << '\n';
    return 1;
  }
}
