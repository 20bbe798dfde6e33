// Runs a package that torch._inductor.aoti_compile_and_package wrote, with no Python in the
// process. The inputs are a list by torch.save, and in it a list of tensors for each call; the
// outputs are a tuple for torch.load, and in it a tuple of tensors for each call.
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "read_pickle.h"
#include "run_main.h"

namespace {

// For torch.load of Python, which reads tuples of tensors with weights_only=True, but no lists.
void write_pickle(std::string const& path, std::vector<c10::IValue> values) {
  auto const bytes = torch::pickle_save(c10::ivalue::Tuple::create(std::move(values)));
  std::ofstream file(path, std::ios::binary);
  if (!file.write(bytes.data(), std::ssize(bytes)).flush()) {
    throw std::runtime_error("cannot write " + path);
  }
}

void run(Arguments const& arguments) {
  c10::InferenceMode const inference_mode;
  auto const calls = read_pickle(arguments[1]);
  // Linking zeta::zeta has registered the operators that the package calls.
  torch::inductor::AOTIModelPackageLoader loader(arguments[0]);
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
  write_pickle(arguments[2], std::move(results));
}

}  // namespace

int main(int const count, char const* const* const words) {
  return run_main<3>(count, words, "PACKAGE.pt2 INPUTS.pt OUTPUTS.pt", run);
}
