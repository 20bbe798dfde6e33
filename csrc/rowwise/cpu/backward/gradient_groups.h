#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "mappings/weighted_mean.h"
#include "rowwise/cpu/backward/slope_at.h"
#include "rowwise/cpu/rows/nonzero_scan.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"

// The gradient on the support, in groups of neighbours in memory: entries of one row, or one entry
// of each of several rows. The loops over single lanes have no branches and are not unrolled, so
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
    std::fill_n(largest_, kCount, 0.0);
    std::fill_n(non_finite_, kCount, 0.0);
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
    find_scales();
    mappings::ProductScale scale;
    for (auto const& of_lane : scales_) scale.add(of_lane);
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
    find_scales();
    for (int lane = 0; lane < kCount; ++lane) {
      inverse_scales_[lane] = WeightedMean(scales_[lane], integers_).inverse_scale();
    }
    add_up();
    for (int lane = 0; lane < kCount; ++lane) {
      WeightedMean const weighted_mean(scales_[lane], integers_);
      means_[lane] = weighted_mean.mean({products_[lane], slopes_[lane]});
      is_nan_[lane] = scales_[lane].nan_slope;
    }
  }

  int64_t size() const { return size_; }

  // Whether the row of this lane is NaN.
  bool is_nan(int64_t lane) const { return is_nan_[lane]; }

  // Calls write(index, results) for each group taken, with kCount results.
  template <class Write>
  void for_each(Write const& write) const {
    for (int64_t i = 0; i < size_; ++i) {
      Group const& group = groups_.data()[i];
      Scalar narrowed[kCount];
      for_each_vector([&](int lane) {
        auto const slopes = load<double>(group.slopes + lane);
        auto const results = slopes * differences(group, lane);
        narrow_numbers(slopes != 0 ? results : Doubles{}, narrowed + lane);
      });
      write(group.index, narrowed);
    }
  }

 private:
  struct Group {
    int64_t index;
    double slopes[kCount];  // 0 outside the support
    Real grads[kCount];     // unspecified outside the support
  };

  static bool has_support(Scalar const* weights) {
    uint64_t mask = 0;
    for (int first = 0; first < kCount; first += kLanes<key_t<Scalar>>) {
      mask |= nonzero_lanes(weights + first);
    }
    return mask != 0;
  }

  // Calls visit(lane) for the first lane of each vector of doubles.
  template <class Visit>
  static void for_each_vector(Visit const& visit) {
#pragma GCC unroll 8
    for (int lane = 0; lane < kCount; lane += kLanes<double>) visit(lane);
  }

  void append(int64_t index, Scalar const* weights, Scalar const* grads) {
    Group& group = groups_.data()[size_++];
    group.index = index;
    Real wide_weights[kCount];
    for (int lane = 0; lane < kCount; lane += kLanes<Real>) {
      store(wide_weights + lane, widen_lanes(weights + lane));
      store(group.grads + lane, widen_lanes(grads + lane));
    }
    if constexpr (Slope::kIsConstant) {
      find_slopes(wide_weights, group.slopes);
    } else {
      find_slopes_apart(wide_weights, group.slopes);
    }
    for_each_vector([&](int lane) {
      auto const product = products(group, lane);
      auto const magnitude =
          reinterpret_cast<Doubles>(reinterpret_cast<Vector<int64_t>>(product) & INT64_MAX);
      store(largest_ + lane, larger(load<double>(largest_ + lane), magnitude));
      store(non_finite_ + lane, load<double>(non_finite_ + lane) + (product - product));
    });
  }

  static Doubles products(Group const& group, int lane) {
    auto const slopes = load<double>(group.slopes + lane);
    return slopes != 0 ? slopes * load_doubles(group.grads + lane) : Doubles{};
  }

  // Finds the ProductScale of each lane.
  void find_scales() {
    all_are_finite_ =
        std::all_of(non_finite_, non_finite_ + kCount, [](double x) { return x == 0; });
    for (int lane = 0; lane < kCount; ++lane) {
      scales_[lane] = {};
      scales_[lane].largest = largest_[lane];
    }
    if (!all_are_finite_) find_scales_of_non_finite();
  }

  // This is rare.
  [[gnu::noinline]] void find_scales_of_non_finite() {
    std::fill_n(scales_, kCount, mappings::ProductScale{});
    for (int64_t i = 0; i < size_; ++i) {
      Group const& group = groups_.data()[i];
      for (int lane = 0; lane < kCount; ++lane) {
        double const slope = group.slopes[lane];
        if (slope != 0) scales_[lane].add(slope, slope * group.grads[lane]);
      }
    }
  }

  void find_slopes(Real const* weights, double* slopes) const {
#pragma GCC unroll 1
    for (int lane = 0; lane < kCount; ++lane) slopes[lane] = slope_at(slope_, weights[lane]);
  }

  // This is not inlined, since it takes much of the stack, which may be small.
  [[gnu::noinline]] void find_slopes_apart(Real const* weights, double* slopes) const {
    find_slopes(weights, slopes);
  }

  // What is left of the gradient at a vector of lanes when their means are subtracted.
  Doubles differences(Group const& group, int lane) const {
    auto const grads = load_doubles(group.grads + lane);
    if constexpr (std::is_same_v<Real, float>) {
      static_assert(sizeof(means_[0]) == sizeof(double));
      return grads - load<double>(means_ + lane);
    } else {
      Doubles result;
      for (int i = 0; i < kLanes<double>; ++i) {
        result[i] = means_[lane + i].subtracted_from(grads[i]);
      }
      return result;
    }
  }

  void add_up() {
    if constexpr (std::is_same_v<Real, float>) {
      if (all_are_finite_) {
        add_up_vectors<true>();
      } else {
        add_up_vectors<false>();
      }
    } else {
      add_up_lanes();
    }
  }

  // The bits of numbers with the magic-number bias are added, and those of the bias taken off at
  // the end.
  template <bool AllAreFinite>
  void add_up_vectors() {
    constexpr int kVectors = kCount / kLanes<double>;
    Vector<uint64_t> product_bits[kVectors] = {};
    Vector<uint64_t> slope_bits[kVectors] = {};
    for (int64_t i = 0; i < size_; ++i) {
      Group const& group = groups_.data()[i];
      for_each_vector([&](int lane) {
        auto slope = load<double>(group.slopes + lane);
        auto product = products(group, lane);
        auto scaled = product * load<double>(inverse_scales_ + lane);
        if constexpr (!AllAreFinite) {
          scaled = product - product == 0 ? scaled : Doubles{};
          slope = slope == slope ? slope : Doubles{};
        }
        product_bits[lane / kLanes<double>] += bits_of(integers_.products.displaced(scaled));
        slope_bits[lane / kLanes<double>] += bits_of(integers_.slopes.displaced(slope));
      });
    }
    auto const count = static_cast<uint64_t>(size_);
    for (int lane = 0; lane < kCount; ++lane) {
      int const vector = lane / kLanes<double>;
      int const in_vector = lane % kLanes<double>;
      products_[lane] = integers_.products.from_sum(product_bits[vector][in_vector], count);
      slopes_[lane] = integers_.slopes.from_sum(slope_bits[vector][in_vector], count);
    }
  }

  void add_up_lanes() {
    std::fill_n(products_, kCount, typename WeightedMean::Product{});
    std::fill_n(slopes_, kCount, typename WeightedMean::Slope{});
    for (int64_t i = 0; i < size_; ++i) {
      Group const& group = groups_.data()[i];
#pragma GCC unroll 1
      for (int lane = 0; lane < kCount; ++lane) {
        double const slope = group.slopes[lane];
        double const product = slope != 0 ? slope * group.grads[lane] : 0;
        auto const term = WeightedMean::term(integers_, inverse_scales_[lane], slope, product);
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
  // Of the products in each lane: the largest magnitude, and NaN if one of them is infinite or NaN,
  // else 0.
  double largest_[kCount];
  double non_finite_[kCount];
  bool all_are_finite_;
  mappings::ProductScale scales_[kCount];
  double inverse_scales_[kCount];
  typename WeightedMean::Product products_[kCount];
  typename WeightedMean::Slope slopes_[kCount];
  mappings::Mean<Real> means_[kCount];
  bool is_nan_[kCount];
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
