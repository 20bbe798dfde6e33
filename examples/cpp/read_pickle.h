#pragma once

#include <torch/serialize.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

/// Reads a file that torch.save of Python wrote.
inline c10::IValue read_pickle(std::string const& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  return torch::pickle_load(std::vector<char>(std::istreambuf_iterator<char>(file), {}));
}
