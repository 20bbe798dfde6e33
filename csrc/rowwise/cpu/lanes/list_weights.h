#pragma once

#include <cstdint>

#include "mappings/short_terms.h"
#include "rowwise/cpu/lanes/lists_by_passes.h"
#include "rowwise/cpu/lanes/lists_by_sorting.h"
#include "rowwise/cpu/lanes/supports.h"
#include "rowwise/cpu/vectors/conversion.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Computes the weights of lists of candidates in columns, one list to a lane, in the way that the
// lists' length and type allow.
template <class Mapping, class Scalar>
class ListWeights {
 public:
  ListWeights(typename Mapping::Fixed const& fixed, int64_t k)
      : has_short_terms_(sizeof(Scalar) == 2 && fixed.unit() <= mappings::ShortTerms::kUnit),
        short_lists_(fixed, k),
        short_passes_(k),
        supports_(fixed, k) {}

  // Replaces candidates by the bits of their weights. The arguments are those of
  // LaneSupports::find(). Returns whether k limits a row.
  [[gnu::noinline]] bool weigh(Floats* columns, int longest, Floats maxima, Floats thresholds) {
    if (longest <= ShortLists<Mapping, Scalar>::kLongest) {
      return short_lists_.weigh(columns, longest);
    }
    if constexpr (sizeof(Scalar) == 2) {
      bool const may_be_short = has_short_terms_ && longest <= short_passes_.kLongest;
      if (may_be_short && short_passes_.find(columns, longest, maxima, thresholds)) {
        short_passes_.weigh(columns, longest);
        return short_passes_.has_capped();
      }
    }
    supports_.find(columns, longest, maxima, thresholds);
    supports_.template weigh<Scalar>(columns, longest);
    return supports_.has_capped();
  }

 private:
  bool has_short_terms_;
  ShortLists<Mapping, Scalar> short_lists_;
  ShortPasses<Mapping, Scalar> short_passes_;
  LaneSupports<Mapping> supports_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
