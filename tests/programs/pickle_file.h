#pragma once

#include <torch/serialize.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// What torch.save of Python wrote.
inline c10::IValue read_pickle(std::string const& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  return torch::pickle_load(std::vector<char>(std::istreambuf_iterator<char>(file), {}));
}

// For torch.load of Python, which reads tuples of tensors with weights_only=True, but no lists.
inline void write_pickle(std::string const& path, std::vector<c10::IValue> values) {
  auto const bytes = torch::pickle_save(c10::ivalue::Tuple::create(std::move(values)));
  std::ofstream file(path, std::ios::binary);
  if (!file.write(bytes.data(), std::ssize(bytes)).flush()) {
    throw std::runtime_error("cannot write " + path);
  }
}
