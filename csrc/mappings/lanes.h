#pragma once

#include <cstdint>

namespace zeta::mappings {

namespace detail {

template <class Integer, class Numbers>
struct LanesLike {
  typedef Integer type __attribute__((vector_size(sizeof(Numbers))));
};
template <class Integer>
struct LanesLike<Integer, double> {
  using type = Integer;
};

}  // namespace detail

// The integers that take the place of a double, or of the numbers in the lanes of a vector.
template <class Integer, class Numbers>
using LanesLike = typename detail::LanesLike<Integer, Numbers>::type;

}  // namespace zeta::mappings
