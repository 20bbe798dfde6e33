#include <gtest/gtest.h>

#include "ops/cuda/missing_kernels.h"

namespace zeta::ops {
namespace {

TEST(MissingKernels, NamesWhatWasFoundAndWhatToDo) {
  EXPECT_EQ(
      missing_kernels_text("sparse_softmax", "NVIDIA A10", 8, 6, "sm_80, sm_90, compute_90"),
      "sparse_softmax: expected a GPU that this build of zeta has kernels for (sm_80, sm_90, "
      "compute_90), but got NVIDIA A10 of compute capability 8.6; install zeta from its source "
      "for it, with CMAKE_ARGS=-DCMAKE_CUDA_ARCHITECTURES=86.");
}

TEST(MissingKernels, OffersNothingForGpusThatAreTooOld) {
  EXPECT_EQ(
      missing_kernels_text("sparse_softmax", "Tesla V100", 7, 0, "sm_75, compute_75"),
      "sparse_softmax: expected a GPU that this build of zeta has kernels for (sm_75, "
      "compute_75), but got Tesla V100 of compute capability 7.0; zeta needs 7.5 or newer: move "
      "the tensors to the CPU.");
}

}  // namespace
}  // namespace zeta::ops
