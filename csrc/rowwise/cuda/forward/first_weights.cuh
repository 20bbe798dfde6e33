#pragma once

#include <cuda_runtime.h>

#include "mappings/root_search.h"
#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/threshold_by_search.cuh"
#include "rowwise/cuda/stages/words.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/float16.h"

// The weights of a row's first entries, which are its k largest. The threshold of these entries is
// that of the row.
namespace zeta::rowwise::cuda {

namespace detail {

// Numbers that a thread holds, of which the first k are the entries. A loop takes two at a time:
// two in each warp of a multiprocessor are enough to hide how long operations in double take, and
// code for all of them would be long, and keep much in registers.
template <int K>
struct FirstNumbers {
  static constexpr int kAtOnce = 2;
  static_assert(K % kAtOnce == 0);

  float const (&numbers)[K];
  int k;

  template <class Group, class Visit>
  __device__ void for_each(Group const&, Visit const& visit) const {
    float left[K];
#pragma unroll
    for (int i = 0; i < K; ++i) left[i] = numbers[i];
#pragma unroll 1
    for (int first = 0; first < k; first += kAtOnce) {
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        if (first + i < k) visit(first + i, left[i]);
      }
      shift(left);
    }
  }

  // Sets results[i] to function(i-th number), and those behind the first k to 0.
  template <class Function>
  __device__ void map(float (&results)[K], Function const& function) const {
    float left[K];
#pragma unroll
    for (int i = 0; i < K; ++i) {
      left[i] = numbers[i];
      results[i] = 0;
    }
#pragma unroll 1
    for (int first = 0; first < K; first += kAtOnce) {
      float taken[kAtOnce];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) taken[i] = first + i < k ? function(left[i]) : 0.0F;
      shift(left);
      shift(results);
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) results[K - kAtOnce + i] = taken[i];
    }
  }

 private:
  __device__ static void shift(float (&values)[K]) {
#pragma unroll
    for (int i = 0; i + kAtOnce < K; ++i) values[i] = values[i + kAtOnce];
  }
};

// A candidate of each lane, or none.
template <class Scalar>
struct CandidateOfLane {
  Candidate<Scalar> candidate;

  template <class Group, class Visit>
  __device__ void for_each(Group const&, Visit const& visit) const {
    if (candidate.exists()) visit(candidate.column, candidate.entry());
  }
};

}  // namespace detail

// Each thread searches by itself.
template <class Mapping, class Scalar, int K>
__device__ inline int weights_by_search(float const (&logits)[K], int k,
                                        typename Mapping::Fixed const& fixed, float (&weights)[K]) {
  Mapping const mapping(logits[0], fixed);
  detail::FirstNumbers<K> const first = {logits, k};
  SingleThread const thread;
  auto const start = estimate_root<Mapping, float>(thread, mapping, first);
  auto const threshold = search_threshold<Mapping, float>(thread, mapping, first, start);
  int count = 0;
  first.map(weights, [&](float logit) {
    auto const weight = narrowed_to_float<Scalar>(mapping.weights(mapping.term(logit), threshold));
    count += weight != 0 ? 1 : 0;
    return weight;
  });
  return count;
}

// Sets the weights of the k largest logits of a row, in order, and 0 behind these. Returns how many
// may be above 0.
template <class Mapping, class Scalar, int K>
__device__ inline int weigh_numbers(float const (&logits)[K], int k,
                                    typename Mapping::Fixed const& fixed, float (&weights)[K]) {
  if constexpr (mappings::kHasSearch<Mapping>) {
    return weights_by_search<Mapping, Scalar>(logits, k, fixed, weights);
  } else {
    return Mapping::template weights_of_few<kDigits<Scalar>>(logits, k, fixed, weights,
                                                             narrowed_to_float<Scalar>);
  }
}

// The warp searches together.
template <class Mapping, class Scalar>
__device__ inline Scalar weight_by_search(Candidate<Scalar> candidate, Mapping const& mapping) {
  Lanes const warp(kWarpThreads);
  detail::CandidateOfLane<Scalar> const own = {candidate};
  auto const start = estimate_root<Mapping, Scalar>(warp, mapping, own);
  auto const threshold = search_threshold<Mapping, Scalar>(warp, mapping, own, start);
  if (!candidate.exists()) return narrow<Scalar>(0);
  return narrow<Scalar>(mapping.weights(mapping.term(widen(candidate.entry())), threshold));
}

// Returns the weight of each lane's candidate. The lanes must have the first candidates of a row in
// order.
template <class Mapping, class Scalar>
__device__ inline Scalar weight_of(Candidate<Scalar> candidate, Mapping const& mapping) {
  if constexpr (mappings::kHasSearch<Mapping>) {
    return weight_by_search(candidate, mapping);
  } else {
    return weight_by_sums(candidate, mapping);
  }
}

}  // namespace zeta::rowwise::cuda
