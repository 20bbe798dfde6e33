#pragma once

#include <ATen/Parallel.h>
#include <torch/csrc/stable/c/shim.h>

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

// In the place of libtorch's function, whose threads are OpenMP's: ThreadSanitizer cannot see how
// these wait for each other, and would take all that one of them leaves to another for a race.
extern "C" [[gnu::visibility("default")]] AOTITorchError torch_parallel_for(
    int64_t begin, int64_t end, int64_t grain_size, ParallelFunc function, void* context) {
  int64_t const most = (end - begin + grain_size - 1) / std::max<int64_t>(1, grain_size);
  int64_t const parts = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), most));
  std::vector<std::thread> threads;
  for (int64_t part = 0; part < parts; ++part) {
    int64_t const first = begin + (end - begin) * part / parts;
    int64_t const last = begin + (end - begin) * (part + 1) / parts;
    if (first < last) threads.emplace_back(function, first, last, context);
  }
  for (auto& thread : threads) thread.join();
  return AOTI_TORCH_SUCCESS;
}
