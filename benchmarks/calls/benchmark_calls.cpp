// Times calls from C++ that have next to nothing to compute, on one thread.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>
#include <zeta/ops.h>

namespace {

at::Tensor logits(bool requires_grad) {
  at::set_num_threads(1);
  return at::randn({4, 8}).requires_grad_(requires_grad);
}

template <class Call>
void time_calls(benchmark::State& state, Call const& call) {
  for (auto _ : state) benchmark::DoNotOptimize(call());
}

void softmax(benchmark::State& state, bool requires_grad) {
  auto const z = logits(requires_grad);
  time_calls(state, [&] { return at::softmax(z, -1); });
}

void sparse_softmax(benchmark::State& state, bool requires_grad) {
  auto const z = logits(requires_grad);
  time_calls(state, [&] { return zeta::sparse_softmax(z, 3); });
}

template <void (*Function)(benchmark::State&, bool)>
void in_inference_mode(benchmark::State& state) {
  c10::InferenceMode const mode;
  Function(state, false);
}

BENCHMARK_CAPTURE(softmax, without gradient, false);
BENCHMARK_CAPTURE(sparse_softmax, without gradient, false);
BENCHMARK_CAPTURE(softmax, with gradient, true);
BENCHMARK_CAPTURE(sparse_softmax, with gradient, true);
BENCHMARK(in_inference_mode<softmax>)->Name("softmax/in inference mode");
BENCHMARK(in_inference_mode<sparse_softmax>)->Name("sparse_softmax/in inference mode");

}  // namespace
