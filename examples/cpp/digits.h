#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "read_pickle.h"

/// Images (count, 1, 8, 8) with values from 0 to 1, and the digit that each one shows.
struct Digits {
  at::Tensor images;
  at::Tensor labels;
};

struct TrainAndTest {
  Digits train;
  Digits test;
};

/// Reads the file that export_digits.py writes.
inline TrainAndTest read_digits(std::string const& path, c10::Device const device) {
  auto const tensors = read_pickle(path).toGenericDict();
  auto const read = [&](char const* const name) { return tensors.at(name).toTensor().to(device); };
  return {{read("train_images"), read("train_labels")}, {read("test_images"), read("test_labels")}};
}

/// Splits the digits into batches, of which the last holds what is left.
inline std::vector<Digits> batches(Digits const& digits, int64_t const size) {
  auto const images = digits.images.split(size);
  auto const labels = digits.labels.split(size);
  std::vector<Digits> result;
  for (size_t i = 0; i < images.size(); ++i) result.push_back({images[i], labels[i]});
  return result;
}

inline double accuracy(at::Tensor const& logits, at::Tensor const& labels) {
  return (logits.argmax(1) == labels).to(at::kDouble).mean().item<double>();
}
