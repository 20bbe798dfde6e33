#pragma once

#include <source_location>

#include "simt/grid.h"

// CUDA's functions for the threads of a block, and its fences. Here all threads see one memory, so
// a missing fence does not show.
inline void __syncthreads(std::source_location where = std::source_location::current()) {
  zeta::simt::Grid::current().barrier("__syncthreads", false, where);
}

inline int __syncthreads_count(int predicate,
                               std::source_location where = std::source_location::current()) {
  auto& grid = zeta::simt::Grid::current();
  return grid.barrier("__syncthreads_count", predicate != 0, where).in_favour;
}

inline int __syncthreads_or(int predicate,
                            std::source_location where = std::source_location::current()) {
  auto& grid = zeta::simt::Grid::current();
  return grid.barrier("__syncthreads_or", predicate != 0, where).in_favour != 0;
}

inline int __syncthreads_and(int predicate,
                             std::source_location where = std::source_location::current()) {
  auto& grid = zeta::simt::Grid::current();
  auto const votes = grid.barrier("__syncthreads_and", predicate != 0, where);
  return votes.in_favour == votes.total;
}

inline void __threadfence(std::source_location where = std::source_location::current()) {
  zeta::simt::Grid::current().preempt(where);
}

inline void __threadfence_block(std::source_location where = std::source_location::current()) {
  zeta::simt::Grid::current().preempt(where);
}

inline void __nanosleep(unsigned, std::source_location where = std::source_location::current()) {
  zeta::simt::Grid::current().preempt(where);
}
