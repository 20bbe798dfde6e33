#pragma once

#include <cmath>
#include <cstdint>

#include "mappings/entmax.h"
#include "mappings/entmax15.h"
#include "mappings/host_device.h"
#include "mappings/root_search.h"
#include "mappings/softmax.h"

namespace zeta::mappings {

// Any member of the family whose threshold is searched for. Which one it is, is only known when the
// program runs, so code for this class serves all of them. It has the bits of the member's own
// class, from which it takes what differs: how a term becomes a weight.
//
// For alpha = 1, where b = 0, the threshold has the sum in place of c.
template <class Real>
class SearchedMember : public Entmax<Real> {
 public:
  using Base = Entmax<Real>;
  using Base::Base;
  using typename Base::Fixed;
  using typename Base::Sum;
  using typename Base::Threshold;

  static constexpr bool kHasReach = false;  // not for alpha = 1

  ZETA_HOST_DEVICE constexpr bool has_reach() const { return this->b() > 0; }

  ZETA_HOST_DEVICE RootLevel<double> level(double term, double c) const {
    if (is_softmax()) return softmax().level(term, c);
    if (is_entmax15()) return entmax15().level(term, c);
    return Base::level(term, c);
  }

  class Search : public RootSearch {
   public:
    ZETA_HOST_DEVICE constexpr Search(RootSearch const& search, bool takes_one_sum)
        : RootSearch(search), takes_one_sum_(takes_one_sum) {}

    ZETA_HOST_DEVICE constexpr bool advance(Sum const& sum) {
      if (!takes_one_sum_) return RootSearch::advance(sum);
      of_softmax_.advance(sum);
      return true;
    }
    ZETA_HOST_DEVICE constexpr auto const& of_softmax() const { return of_softmax_; }

   private:
    bool takes_one_sum_;
    typename Softmax<Real>::template Searches<double> of_softmax_;
  };
  ZETA_HOST_DEVICE constexpr Search search(Threshold const& start) const {
    return {Base::search(start), is_softmax()};
  }
  ZETA_HOST_DEVICE constexpr Search search() const { return search(this->lowest_threshold()); }
  ZETA_HOST_DEVICE Threshold threshold(Search const& search) const {
    if (is_softmax()) return {1, softmax().threshold(search.of_softmax()).sum, 0};
    return Base::threshold(search);
  }

  void is_above(double, Threshold const&) const = delete;  // weights() tells
  ZETA_HOST_DEVICE double weights(double term, Threshold const& threshold) const {
    if (is_softmax()) return softmax().weights(term, OfSoftmax{threshold.c});
    if (is_entmax15()) {
      return entmax15().weights(term, OfEntmax15{threshold.root, threshold.c});
    }
    return Base::weights(term, threshold);
  }

 private:
  using OfSoftmax = typename Softmax<Real>::Threshold;
  using OfEntmax15 = typename Entmax15<Real>::Threshold;

  ZETA_HOST_DEVICE constexpr bool is_softmax() const { return this->b() == 0; }
  ZETA_HOST_DEVICE constexpr bool is_entmax15() const { return this->b() == Entmax15<Real>::b(); }
  ZETA_HOST_DEVICE constexpr Softmax<Real> softmax() const {
    return {this->maximum(), this->fixed()};
  }
  ZETA_HOST_DEVICE constexpr Entmax15<Real> entmax15() const {
    return {this->maximum(), this->fixed()};
  }
};

}  // namespace zeta::mappings
