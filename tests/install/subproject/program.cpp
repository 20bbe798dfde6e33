#include <torch/torch.h>
#include <zeta/ops.h>

int main() {
  auto const weights = zeta::sparse_softmax(torch::tensor({0.0F, 2.0F}));
  return torch::equal(weights, torch::tensor({0.0F, 1.0F})) ? 0 : 1;
}
