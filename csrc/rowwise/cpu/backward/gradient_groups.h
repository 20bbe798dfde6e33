#pragma once

#include <algorithm>
#include <cstdint>

#include "mappings/weighted_mean.h"
#include "rowwise/cpu/backward/slope_at.h"
#include "rowwise/cpu/rows/nonzero_scan.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/float16.h"

// The gradient on the support, in groups of neighbours in memory: entries of one row, or one entry
// of each of several rows. Loops over a group's entries have no branches and are not unrolled, so
// that compilers turn them into vectors.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template <template <class> class MappingOf, class Scalar>
class GradientGroups {
 public:
  using Real = widened_t<Scalar>;
  using WeightedMean = mappings::WeightedMean<Real>;
  static constexpr int kCount = std::max(16, kLanes<key_t<Scalar>>);

  using Slope = typename MappingOf<Real>::Slope;

  GradientGroups(Slope const& slope, typename WeightedMean::Integers const& integers,
                 int64_t most_groups)
      : slope_(slope), integers_(integers), most_groups_(most_groups) {}

  void clear() {
    groups_.reserve(most_groups_);
    size_ = 0;
    std::fill_n(scales_.largest, kCount, 0.0);
    std::fill_n(scales_.non_finite, kCount, 0.0);
    std::fill_n(scales_.nan, kCount, 0.0);
  }

  // Takes a group of `count` entries if one of them is in the support; reads no gradient otherwise.
  void add(int64_t index, Scalar const* weights, Scalar const* grads, int64_t count) {
    if (count == kCount) {
      if (has_support(weights)) append(index, weights, grads);
      return;
    }
    Scalar padded_weights[kCount] = {};
    std::copy_n(weights, count, padded_weights);
    if (!has_support(padded_weights)) return;
    Scalar padded_grads[kCount] = {};
    std::copy_n(grads, count, padded_grads);
    append(index, padded_weights, padded_grads);
  }

  // Finds the mean that for_each() subtracts, if all groups are of one row. To be called after the
  // last group.
  void subtract_one_mean() {
    mappings::ProductScale scale;
    for (int lane = 0; lane < kCount; ++lane) scale.add(scales_.of(lane));
    WeightedMean const weighted_mean(scale, integers_);
    std::fill_n(inverse_scales_, kCount, weighted_mean.inverse_scale());
    add_up();
    typename WeightedMean::Sum sum;
    for (int lane = 0; lane < kCount; ++lane) sum.add({products_[lane], slopes_[lane]});
    std::fill_n(means_, kCount, weighted_mean.mean(sum));
    std::fill_n(is_nan_, kCount, scale.nan_slope);
  }

  // Finds the means that for_each() subtracts, if each entry of a group is of a row of its own. To
  // be called after the last group.
  void subtract_means() {
    for (int lane = 0; lane < kCount; ++lane) {
      inverse_scales_[lane] = WeightedMean(scales_.of(lane), integers_).inverse_scale();
    }
    add_up();
    for (int lane = 0; lane < kCount; ++lane) {
      WeightedMean const weighted_mean(scales_.of(lane), integers_);
      means_[lane] = weighted_mean.mean({products_[lane], slopes_[lane]});
      is_nan_[lane] = scales_.of(lane).nan_slope;
    }
  }

  // Whether the row of this lane is NaN.
  bool is_nan(int64_t lane) const { return is_nan_[lane]; }

  // Calls write(index, results) for each group taken, with kCount results.
  template <class Write>
  void for_each(Write const& write) const {
    for (int64_t i = 0; i < size_; ++i) {
      Group const& group = groups_.data()[i];
      double results[kCount];
#pragma GCC unroll 1
      for (int lane = 0; lane < kCount; ++lane) {
        double const slope = group.slopes[lane];
        double const result = slope * means_[lane].subtracted_from(group.grads[lane]);
        results[lane] = slope != 0 ? result : 0;
      }
      Scalar narrowed[kCount];
#pragma GCC unroll 1
      for (int lane = 0; lane < kCount; ++lane) narrowed[lane] = narrow<Scalar>(results[lane]);
      write(group.index, narrowed);
    }
  }

 private:
  // Outside the support both are 0.
  struct Group {
    int64_t index;
    double slopes[kCount];
    double grads[kCount];
  };

  // A ProductScale for each lane.
  struct Scales {
    double largest[kCount];
    double non_finite[kCount];
    double nan[kCount];

    // Does for a vector of lanes what ProductScale::add does.
    void add(int lane, Vector<double> slopes, Vector<double> products) {
      auto const is_finite = products - products == 0;
      auto const magnitudes = products < 0 ? -products : products;
      Vector<double> const zeros = {};
      auto const least = load<double>(largest + lane);
      store(largest + lane, larger(least, is_finite ? magnitudes : zeros));
      store(non_finite + lane, load<double>(non_finite + lane) + (is_finite ? zeros : products));
      store(nan + lane, load<double>(nan + lane) + slopes * 0.0);
    }

    mappings::ProductScale of(int lane) const {
      return {largest[lane], non_finite[lane], nan[lane] != nan[lane]};
    }
  };

  static bool has_support(Scalar const* weights) {
    uint64_t mask = 0;
    for (int first = 0; first < kCount; first += kLanes<key_t<Scalar>>) {
      mask |= nonzero_lanes(weights + first);
    }
    return mask != 0;
  }

  void append(int64_t index, Scalar const* weights, Scalar const* grads) {
    Group& group = groups_.data()[size_++];
    group.index = index;
    double wide_grads[kCount];
    if constexpr (Slope::kIsConstant) {
      find_slopes(weights, group.slopes);
    } else {
      find_slopes_apart(weights, group.slopes);
    }
#pragma GCC unroll 1
    for (int lane = 0; lane < kCount; ++lane) wide_grads[lane] = widen(grads[lane]);
    for (int lane = 0; lane < kCount; lane += kLanes<double>) {
      auto const slopes = load<double>(group.slopes + lane);
      auto const all_grads = load<double>(wide_grads + lane);
      auto const grads_of_support = slopes != 0 ? all_grads : Vector<double>{};
      store(group.grads + lane, grads_of_support);
      scales_.add(lane, slopes, slopes * grads_of_support);
    }
  }

  void find_slopes(Scalar const* weights, double* slopes) const {
#pragma GCC unroll 1
    for (int lane = 0; lane < kCount; ++lane) slopes[lane] = slope_at(slope_, widen(weights[lane]));
  }

  // This is not inlined, since it takes much of the stack, which may be small.
  [[gnu::noinline]] void find_slopes_apart(Scalar const* weights, double* slopes) const {
    find_slopes(weights, slopes);
  }

  void add_up() {
    std::fill_n(products_, kCount, typename WeightedMean::Product{});
    std::fill_n(slopes_, kCount, typename WeightedMean::Slope{});
    for (int64_t i = 0; i < size_; ++i) {
      Group const& group = groups_.data()[i];
#pragma GCC unroll 1
      for (int lane = 0; lane < kCount; ++lane) {
        double const slope = group.slopes[lane];
        auto const term =
            WeightedMean::term(integers_, inverse_scales_[lane], slope, slope * group.grads[lane]);
        products_[lane].add(term.products);
        slopes_[lane].add(term.slopes);
      }
    }
  }

  Slope slope_;
  typename WeightedMean::Integers integers_;
  int64_t most_groups_;
  int64_t size_ = 0;
  Scratch<Group> groups_;
  Scales scales_;
  double inverse_scales_[kCount];
  typename WeightedMean::Product products_[kCount];
  typename WeightedMean::Slope slopes_[kCount];
  mappings::Mean<Real> means_[kCount];
  bool is_nan_[kCount];
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
