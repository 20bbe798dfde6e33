#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include "rowwise/cpu/vectors/bytes.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"
#include "rowwise/mask.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {
namespace detail {

template <class Scalar>
inline key_t<Scalar> left_out_bits() {
  return std::bit_cast<key_t<Scalar>>(narrow<Scalar>(-std::numeric_limits<double>::infinity()));
}

}  // namespace detail

// These functions copy a row with -inf in place of each entry that a mask leaves out, whatever that
// entry is. They return whether the mask leaves out the whole row.

// Copies a vector that begins with a row shorter than it.
template <class Scalar>
[[gnu::always_inline]] inline bool copy_masked_vector(Scalar const* from, MaskEntry const* mask,
                                                      Vector<key_t<Scalar>> is_of_row, Scalar* to) {
  using Bits = key_t<Scalar>;
  auto const takes_part = (load_bytes<Bits>(mask) != 0) & is_of_row;
  store(to, takes_part ? load<Bits>(from) : broadcast<Bits>(detail::left_out_bits<Scalar>()));
  return lanes_at_least<Bits>(broadcast<Bits>(-1), takes_part) == 0;
}

// Copies a row of at least kLanes<key_t<Scalar>> entries with a contiguous mask. `from` may be
// `to`.
template <class Scalar>
[[gnu::always_inline]] inline bool copy_masked_vectors(Scalar const* from, MaskEntry const* mask,
                                                       int64_t length, Scalar* to) {
  using Bits = key_t<Scalar>;
  constexpr int64_t kStep = kLanes<Bits>;
  auto const left_out = broadcast<Bits>(detail::left_out_bits<Scalar>());
  Vector<Bits> any = {};
  auto const copy = [&](int64_t column) {
    auto const of_lanes = load_bytes<Bits>(mask + column);
    any |= of_lanes;
    store(to + column, of_lanes != 0 ? load<Bits>(from + column) : left_out);
  };
  int64_t const last = length - kStep;
  for (int64_t column = 0; column < last; column += kStep) copy(column);
  copy(last);
  return lanes_at_least<Bits>(any, broadcast<Bits>(1)) == 0;
}

// Copies any row. `from` may be `to`.
template <class Scalar>
bool copy_masked(Scalar const* from, MaskEntry const* mask, int64_t mask_stride, int64_t length,
                 Scalar* to) {
  auto const left_out = std::bit_cast<Scalar>(detail::left_out_bits<Scalar>());
  if (mask_stride == 0) {
    bool const takes_part = mask[0] != 0;
    if (!takes_part) std::fill_n(to, length, left_out);
    if (takes_part && from != to) std::copy_n(from, length, to);
    return !takes_part;
  }
  if (mask_stride == 1 && length >= kLanes<key_t<Scalar>>) {
    return copy_masked_vectors(from, mask, length, to);
  }
  bool leaves_out_all = true;
  for (int64_t column = 0; column < length; ++column) {
    bool const takes_part = mask[column * mask_stride] != 0;
    leaves_out_all = leaves_out_all && !takes_part;
    to[column] = takes_part ? from[column] : left_out;
  }
  return leaves_out_all;
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
