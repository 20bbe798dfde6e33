#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "mappings/short_terms.h"
#include "rowwise/cpu/lanes/sorted_supports.h"
#include "rowwise/cpu/lanes/supports.h"
#include "rowwise/cpu/rows/lane_numbers.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Computes the weights of rows that lie one to a lane, given their entries both in order and
// sorted.
template <class Mapping, class Scalar>
class SortedWeights {
 public:
  using Fixed = typename Mapping::Fixed;
  using Numbers = ShortNumbers<Scalar>;
  using Bits = Vector<typename Numbers::Element>;

  SortedWeights(Fixed const& fixed, int length, int k) : fixed_(fixed), length_(length), k_(k) {}

  // Replaces the bits of the rows' entries, in `columns`, by those of their weights. Reads the
  // first k entries of `sorted`, rounded up to a multiple of 4, and may overwrite them.
  void weigh(Bits* sorted, Bits* columns) const {
    if constexpr (std::is_same_v<Scalar, float>) {
      ExactSupports<Mapping> supports(fixed_);
      supports.find([&](int i) { return sorted[i]; }, k_);
      for (int i = 0; i < length_; ++i) columns[i] = supports.template weights<Scalar>(columns[i]);
    } else {
      Bits const is_fine = rows_of_fine(sorted);
      for (int i = 0; i < (k_ + 3) / 4 * 4; ++i) sorted[i] = Numbers::bits(sorted[i]);
      if (!weigh_short(sorted, is_fine, columns)) weigh_exactly(sorted, columns);
    }
  }

 private:
  // Computes the weights with ShortTerms. If these are not exact in some row, it writes nothing and
  // returns false.
  bool weigh_short(Bits const* sorted, Bits is_fine, Bits* columns) const {
    if (fixed_.unit() > mappings::ShortTerms::kUnit) return false;
    ShortSupports<Mapping> supports[2];
    supports[0].find([&](int i) { return part<0>(sorted[i]); }, k_);
    supports[1].find([&](int i) { return part<1>(sorted[i]); }, k_);
    if (std::is_same_v<Scalar, BFloat16> && any_lane(is_fine)) {
      auto const reaches_fine = [&](Floats fine_rows, Floats lowest) {
        return (reinterpret_cast<Keys>(fine_rows) != 0) &
               (lowest < mappings::ShortTerms::kReachOfFine);
      };
      if (any_lane(reaches_fine(part<0>(is_fine), supports[0].lowest()) |
                   reaches_fine(part<1>(is_fine), supports[1].lowest()))) {
        return false;
      }
    }
    for (int i = 0; i < length_; ++i) {
      columns[i] = narrowed(supports[0].weights(part<0>(columns[i])),
                            supports[1].weights(part<1>(columns[i])));
    }
    return true;
  }

  [[gnu::noinline]] void weigh_exactly(Bits const* sorted, Bits* columns) const {
    ExactSupports<Mapping> supports[2] = {ExactSupports<Mapping>(fixed_),
                                          ExactSupports<Mapping>(fixed_)};
    supports[0].find([&](int i) { return part<0>(sorted[i]); }, k_);
    supports[1].find([&](int i) { return part<1>(sorted[i]); }, k_);
    for (int i = 0; i < length_; ++i) {
      columns[i] = narrowed(supports[0].template weights<Scalar>(part<0>(columns[i])),
                            supports[1].template weights<Scalar>(part<1>(columns[i])));
    }
  }

  // The rows with an entry for which ShortTerms are not exact.
  Bits rows_of_fine(Bits const* entries) const {
    if constexpr (std::is_same_v<Scalar, BFloat16>) {
      using Magnitudes = Vector<uint16_t>;
      constexpr auto kLeast = static_cast<uint16_t>(
          std::bit_cast<uint32_t>(mappings::ShortTerms::kLeastBFloat16) >> 16);
      auto least = Magnitudes{} - 1;
      for (int i = 0; i < k_; ++i) {
        Bits const magnitudes = entries[i] < 0 ? -entries[i] : entries[i];
        least = smaller(least, reinterpret_cast<Magnitudes>(magnitudes) - 1);  // 0 wraps around
      }
      return least < static_cast<uint16_t>(kLeast - 1);
    }
    return Bits{};
  }

  template <int Part>
  static Floats part(Bits bits) {
    return part_of<Scalar, Part>(reinterpret_cast<Vector<uint16_t>>(bits));
  }

  static Bits narrowed(Floats first, Floats second) {
    return reinterpret_cast<Bits>(narrowed_parts<Scalar>(first, second));
  }

  Fixed fixed_;
  int length_;
  int k_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
