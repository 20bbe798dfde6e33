// Large calls are cut into a range for each of torch's threads, and small ones are not cut.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/stable/c/shim.h>
#include <torch/torch.h>
#include <zeta/ops.h>

#include <cstdint>
#include <vector>

namespace {

struct Request {
  int64_t count;
  int64_t smallest_range;

  int64_t ranges() const { return (count + smallest_range - 1) / smallest_range; }
};

std::vector<Request> requests;

}  // namespace

// Takes the place of libtorch's function, and keeps what the library asks of it. Who gets which
// range is torch's to choose.
extern "C" [[gnu::visibility("default")]] AOTITorchError torch_parallel_for(
    int64_t begin, int64_t end, int64_t grain_size, ParallelFunc function, void* context) {
  requests.push_back({end - begin, grain_size});
  function(begin, end, context);
  return AOTI_TORCH_SUCCESS;
}

namespace {

constexpr int kThreads = 4;

class Shares : public testing::Test {
 protected:
  Shares() { at::set_num_threads(kThreads); }
};

template <class Call>
std::vector<Request> requests_of(Call const& call) {
  requests.clear();
  call();
  return requests;
}

void expect_one_for_each_thread(std::vector<Request> const& all) {
  EXPECT_FALSE(all.empty());
  for (Request const& request : all) EXPECT_GE(request.ranges(), kThreads);
}

TEST_F(Shares, ForwardAndBackwardHaveOneForEachThread) {
  for (int64_t const k : {3, 64}) {  // of which the backward reads the support, and the output
    for (auto const& z : {torch::randn({8192, 64}), torch::randn({64, 8192}).t()}) {
      auto const leaf = z.detach().requires_grad_();
      at::Tensor weights;
      expect_one_for_each_thread(requests_of([&] { zeta::sparse_softmax(z, k); }));
      expect_one_for_each_thread(requests_of([&] { weights = zeta::sparse_softmax(leaf, k); }));
      expect_one_for_each_thread(
          requests_of([&] { torch::autograd::grad({weights}, {leaf}, {z.contiguous()}); }));
      auto out = torch::empty_like(z);
      expect_one_for_each_thread(requests_of([&] { zeta::sparse_softmax_out(out, z, k); }));
    }
  }
}

TEST_F(Shares, FewLongRowsHaveOneForEachThread) {
  for (int64_t const rows : {1, 3}) {
    auto const z = torch::randn({rows, 300000});
    auto const asked = requests_of([&] { zeta::sparse_softmax(z); });
    EXPECT_GE(static_cast<int64_t>(asked.size()), rows);
    expect_one_for_each_thread(asked);
  }
}

TEST_F(Shares, SmallCallsAreNotCut) {
  auto const z = torch::randn({1000, 64}).requires_grad_();
  auto const asked = requests_of([&] {
    auto const weights = zeta::sparse_softmax(z);
    torch::autograd::grad({weights}, {z}, {torch::ones_like(weights)});
  });
  EXPECT_TRUE(asked.empty());
}

}  // namespace
