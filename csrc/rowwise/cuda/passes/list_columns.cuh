#pragma once

#include <cstdint>

namespace zeta::rowwise::cuda {

// Calls write(place, column) for each index `column` below `length` for which includes(column)
// holds. Places count from 0 in the order of the indices. Returns how many indices there are.
// Groups that share barriers stay until the last of them is done.
template <class Group, class Includes, class Write>
__device__ int64_t list_columns(Group const& group, int64_t length, Includes const& includes,
                                Write const& write) {
  int64_t count = 0;
  for (int64_t first = 0; group.any(first < length); first += group.threads()) {
    int64_t const column = first + group.rank();
    bool const is_listed = column < length && includes(column);
    int const running = group.running_sum(is_listed ? 1 : 0);
    if (is_listed) write(count + running - 1, column);
    count += group.last(running);
  }
  return count;
}

}  // namespace zeta::rowwise::cuda
