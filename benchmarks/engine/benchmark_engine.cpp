// Times the CPU engine alone, on one thread, without Torch: for profilers, and to compare
// instruction sets, which ZETA_CPU_CAPABILITY chooses.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iostream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "rowwise/cpu/capability.h"
#include "rowwise/cpu/entmax.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise {
namespace {

using Random = std::mt19937;

struct Family {
  char const* name;
  float (*logit)(Random& random, int64_t column, int64_t length);
};

template <int Hundredths>
float normal(Random& random, int64_t, int64_t) {
  return std::normal_distribution<float>(0, Hundredths / 100.0F)(random);
}

float half_masked(Random& random, int64_t column, int64_t length) {
  float const logit = normal<100>(random, column, length);
  bool const is_masked = random() % 2 == 0 && column != 0;  // A row keeps one entry at least.
  return is_masked ? -std::numeric_limits<float>::infinity() : logit;
}

constexpr Family kFamilies[] = {
    {"N(0,1)", normal<100>},
    {"N(0,5)", normal<500>},
    {"N(0,0.1)", normal<10>},
    {"N(0,0.01)", normal<1>},
    {"equal", [](Random&, int64_t, int64_t) { return 0.3F; }},
    {"ascending",
     [](Random&, int64_t column, int64_t length) {
       return 2 * static_cast<float>(column) / static_cast<float>(length) - 1;
     }},
    {"half_masked", half_masked},
};

RowGeometry<2> contiguous_rows(int64_t rows, int64_t length) {
  RowGeometryBuilder<2> builder;
  builder.set_row(length, {1, 1});
  builder.add_batch_dimension(rows, {length, length});
  return builder.build();
}

template <class Scalar>
std::vector<Scalar> make_logits(Family const& family, int64_t rows, int64_t length) {
  // Drawing normal numbers takes longer than the engine; few of them, again and again, will do.
  constexpr int64_t kMostDrawn = 1 << 22;
  Random random(0);
  std::vector<Scalar> logits(rows * length);
  int64_t const drawn = std::min(rows, std::max<int64_t>(1, kMostDrawn / length));
  for (int64_t i = 0; i < drawn * length; ++i) {
    logits[i] = narrow<Scalar>(family.logit(random, i % length, length));
  }
  for (int64_t row = drawn; row < rows; ++row) {
    std::copy_n(&logits[(row - drawn) * length], length, &logits[row * length]);
  }
  return logits;
}

void count_bytes(benchmark::State& state, int64_t bytes) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * 2 * bytes);
}

template <class Scalar>
void time_sparse_softmax(benchmark::State& state, Family const& family) {
  int64_t const rows = state.range(0);
  int64_t const length = state.range(1);
  int64_t const k = state.range(2);
  auto const geometry = contiguous_rows(rows, length);
  auto const logits = make_logits<Scalar>(family, rows, length);
  std::vector<Scalar> weights(logits.size());
  for (auto _ : state) {
    cpu::entmax(/*alpha=*/2, geometry, weights.data(), logits.data(), k, 0, rows);
    benchmark::ClobberMemory();
  }
  count_bytes(state, rows * length * static_cast<int64_t>(sizeof(Scalar)));
}

void time_memcpy(benchmark::State& state) {
  std::vector<char> const source(state.range(0), 1);
  std::vector<char> destination(source.size());
  for (auto _ : state) {
    std::memcpy(destination.data(), source.data(), source.size());
    benchmark::ClobberMemory();
  }
  count_bytes(state, state.range(0));
}

template <class Scalar>
void register_rows(std::string const& dtype, std::string const& where, int64_t bytes) {
  for (auto const& family : kFamilies) {
    auto const name = "sparse_softmax/" + where + "/" + dtype + "/" + family.name;
    auto* const timed =
        benchmark::RegisterBenchmark(name.c_str(), time_sparse_softmax<Scalar>, family);
    timed->ArgNames({"rows", "n", "k"})->UseRealTime();
    for (int64_t const length : {8, 16, 64, 256, 1024, 4096, 32768, 1 << 20}) {
      int64_t const rows = bytes / (length * static_cast<int64_t>(sizeof(Scalar)));
      if (rows == 0) continue;
      for (int64_t const k : {3, 32}) {
        if (k < length) timed->Args({rows, length, k});
      }
      timed->Args({rows, length, length});
    }
  }
}

void register_all() {
  struct Place {
    std::string name;
    int64_t bytes;  // of the logits
  };
  Place const places[] = {{"cache", int64_t{256} << 10}, {"memory", int64_t{64} << 20}};
  for (auto const& [where, bytes] : places) {
    benchmark::RegisterBenchmark(("memcpy/" + where).c_str(), time_memcpy)
        ->ArgName("bytes")
        ->Arg(bytes)
        ->UseRealTime();
    register_rows<float>("float32", where, bytes);
    register_rows<double>("float64", where, bytes);
    register_rows<BFloat16>("bfloat16", where, bytes);
    register_rows<Float16>("float16", where, bytes);
  }
}

}  // namespace
}  // namespace zeta::rowwise

int main(int argc, char** argv) {
  using namespace zeta::rowwise;
  try {
    auto const capability = static_cast<size_t>(cpu::capability());
    benchmark::AddCustomContext("capability", std::string(cpu::kCapabilityNames[capability]));
  } catch (std::exception const& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  register_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
