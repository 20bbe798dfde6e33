#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/rows/lane_numbers.h"
#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Calls visit(i) for all i below `count`, four at a time.
template <class Visit>
[[gnu::always_inline]] inline void four_by_four(int64_t count, Visit const& visit) {
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    visit(i);
    visit(i + 1);
    visit(i + 2);
    visit(i + 3);
  }
  for (; i < count; ++i) visit(i);
}

// Reads rows of one length, a vector of entries at a time. The lanes of a last vector that lie
// beyond the row hold the lowest number.
template <class Scalar>
class RowVectors {
 public:
  using Numbers = std::conditional_t<sizeof(Scalar) == 2, LaneKeys<Scalar>, LaneNumbers<Scalar>>;
  using Element = typename Numbers::Element;
  static constexpr int kCount = kLanes<Element>;  // entries in a vector

  explicit RowVectors(int64_t length) : length_(length), whole_(length / kCount * kCount) {}

  // Entries before `end` may be read.
  void set_readable(Scalar const* end) { readable_end_ = end; }
  bool is_readable(Scalar const* first, int64_t count) const {
    return readable_end_ - first >= count;
  }

  int64_t length() const { return length_; }
  int64_t whole() const { return whole_; }                           // entries in whole vectors
  int64_t count() const { return (length_ + kCount - 1) / kCount; }  // of vectors, whole or not
  bool has_rest() const { return whole_ < length_; }

  Vector<Element> load_rest(Scalar const* row) {
    auto const is_of_row = first_lanes<Element>(length_ - whole_);
    return is_of_row ? Numbers::of(rest_of(row)) : broadcast<Element>(Numbers::kLowest);
  }

  // Where a vector can be read that begins with the row's entries after whole(): in the row or in a
  // copy.
  Scalar const* rest_of(Scalar const* row) {
    Scalar const* const source = row + whole_;
    if (is_readable(source, kCount)) return source;
    std::copy_n(source, length_ - whole_, rest_);
    return rest_;
  }

 private:
  int64_t length_;
  int64_t whole_;
  Scalar const* readable_end_ = nullptr;
  alignas(kVectorBytes) Scalar rest_[kCount];
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
