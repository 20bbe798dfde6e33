#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/lane_numbers.h"
#include "rowwise/cpu/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Rows of one length, a vector of entries at a time. The last vector of a row ends with the lowest
// number.
template <class Scalar>
class RowVectors {
 public:
  using Numbers =
      std::conditional_t<sizeof(Scalar) == 2, LaneIntegers<Scalar>, LaneNumbers<Scalar>>;
  using Element = typename Numbers::Element;
  static constexpr int kCount = kLanes<Element>;  // entries in a vector

  explicit RowVectors(int64_t length) : length_(length), whole_(length / kCount * kCount) {}

  // Entries before `end` may be read.
  void set_readable(Scalar const* end) { readable_end_ = end; }
  bool is_readable(Scalar const* first, int64_t count) const {
    return readable_end_ - first >= count;
  }

  int64_t length() const { return length_; }
  int64_t whole() const { return whole_; }  // entries in whole vectors
  bool has_rest() const { return whole_ < length_; }

  Vector<Element> load_rest(Scalar const* row) {
    Scalar const* source = row + whole_;
    if (!is_readable(source, kCount)) {
      std::copy_n(source, length_ - whole_, rest_);
      source = rest_;
    }
    auto const is_of_row = first_lanes<Element>(length_ - whole_);
    return is_of_row ? Numbers::of(source) : broadcast<Element>(Numbers::kLowest);
  }

 private:
  int64_t length_;
  int64_t whole_;
  Scalar const* readable_end_ = nullptr;
  alignas(kVectorBytes) Scalar rest_[kCount];
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
