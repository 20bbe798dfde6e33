#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

namespace zeta::simt {

// Chooses which of the threads that can go on runs next. Seed 0 prefers the first thread, seed 1
// the last. Further seeds use fixed random priorities and random picks in turn.
class Schedule {
 public:
  // Threads of a warp have neighbouring priorities, so that a preferred warp runs far ahead.
  Schedule(uint64_t seed, size_t threads, size_t threads_per_warp)
      : random_(seed), picks_at_random_(seed >= 2 && seed % 2 == 1), ready_((threads + 63) / 64) {
    auto const by_preference = preference(seed, threads, threads_per_warp);
    thread_of_ = by_preference;
    place_of_.resize(threads);
    for (size_t place = 0; place < threads; ++place) place_of_[by_preference[place]] = place;
  }

  void add(size_t thread) { word_of(thread) |= bit_of(thread); }
  void remove(size_t thread) { word_of(thread) &= ~bit_of(thread); }

  static constexpr size_t kNone = SIZE_MAX;

  // Returns kNone if there is no thread to run.
  size_t next() { return first_from(picks_at_random_ ? random_place() : 0); }

  // Returns the next thread behind `thread` in the order of preference, so that every thread has
  // its turn.
  size_t next_after(size_t thread) {
    return first_from((place_of_[thread] + 1) % place_of_.size());
  }

 private:
  static std::vector<size_t> preference(uint64_t seed, size_t threads, size_t threads_per_warp) {
    std::vector<size_t> result(threads);
    std::iota(result.begin(), result.end(), size_t{0});
    if (seed == 0) return result;
    if (seed == 1) return {result.rbegin(), result.rend()};
    std::mt19937_64 random(seed);
    std::vector<uint64_t> warp_rank((threads + threads_per_warp - 1) / threads_per_warp);
    for (auto& rank : warp_rank) rank = random();
    std::shuffle(result.begin(), result.end(), random);
    std::stable_sort(result.begin(), result.end(), [&](size_t a, size_t b) {
      return warp_rank[a / threads_per_warp] < warp_rank[b / threads_per_warp];
    });
    return result;
  }

  // This takes a product instead of a remainder, since it runs at every switch.
  size_t random_place() { return (random_() - random_.min()) * place_of_.size() >> 31; }

  uint64_t& word_of(size_t thread) { return ready_[place_of_[thread] / 64]; }
  uint64_t bit_of(size_t thread) const { return uint64_t{1} << (place_of_[thread] % 64); }

  size_t first_from(size_t place) const {
    uint64_t word = ready_[place / 64] & (~uint64_t{0} << (place % 64));
    for (size_t index = place / 64, visited = 0; visited <= ready_.size(); ++visited) {
      if (word != 0) return thread_of_[index * 64 + static_cast<size_t>(std::countr_zero(word))];
      index = index + 1 == ready_.size() ? 0 : index + 1;
      word = ready_[index];
    }
    return kNone;
  }

  std::minstd_rand random_;
  bool picks_at_random_;
  std::vector<uint64_t> ready_;  // a bit for each place
  std::vector<size_t> thread_of_;
  std::vector<size_t> place_of_;
};

}  // namespace zeta::simt
