#pragma once

#include <torch/nn/functional/fold.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <zeta/ops.h>

#include <cmath>

/// Logits (count, 10) and attention weights (count, queries, patches).
struct Classification {
  at::Tensor logits;
  at::Tensor weights;
};

/// Cuts an image into patches, reads them with learned queries, and classifies what was read. This
/// is the classifier of ../digits.py, with the same names.
class AttentionClassifierImpl : public torch::nn::Module {
 public:
  Classification forward(at::Tensor const& images) {
    namespace functional = torch::nn::functional;
    auto const around = functional::UnfoldFuncOptions(kPatchSide).padding(kPatchSide / 2);
    auto const patches = functional::unfold(images, around).transpose(1, 2);
    auto const tokens = normalise_(embed_patch_->forward(patches) + position_);
    auto const scores = at::matmul(query_, to_key_(tokens).mT()) / std::sqrt(kFeatures);
    auto const weights = zeta::sparse_softmax(scores, kPatchesRead);
    auto const read = at::matmul(weights, to_value_(tokens));
    return {to_logits_(read.flatten(1)), weights};
  }

 private:
  static constexpr int kClasses = 10;
  static constexpr int kPatchSide = 3;
  static constexpr int kPatchPixels = kPatchSide * kPatchSide;
  static constexpr int kPatches = 8 * 8;  // One around each pixel.
  static constexpr int kPatchesRead = 3;
  static constexpr int kQueries = 8;
  static constexpr int kFeatures = 32;
  static constexpr int kReadFeatures = kQueries * kFeatures;

  torch::nn::Sequential embed_patch_ = register_module(
      "embed_patch",
      torch::nn::Sequential(torch::nn::Linear(kPatchPixels, kFeatures), torch::nn::GELU(),
                            torch::nn::Linear(kFeatures, kFeatures)));
  at::Tensor position_ = register_parameter("position", 0.2 * torch::randn({kPatches, kFeatures}));
  torch::nn::LayerNorm normalise_ =
      register_module("normalise", torch::nn::LayerNorm(torch::nn::LayerNormOptions({kFeatures})));
  at::Tensor query_ = register_parameter("query", 0.5 * torch::randn({kQueries, kFeatures}));
  torch::nn::Linear to_key_ = register_module("to_key", torch::nn::Linear(kFeatures, kFeatures));
  torch::nn::Linear to_value_ =
      register_module("to_value", torch::nn::Linear(kFeatures, kFeatures));
  torch::nn::Linear to_logits_ =
      register_module("to_logits", torch::nn::Linear(kReadFeatures, kClasses));
};
TORCH_MODULE(AttentionClassifier);
