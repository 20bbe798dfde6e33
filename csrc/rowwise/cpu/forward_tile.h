#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "rowwise/cpu/conversion.h"
#include "rowwise/cpu/dense_row.h"
#include "rowwise/cpu/scratch.h"
#include "rowwise/cpu/sparse_row.h"
#include "rowwise/cpu/support.h"
#include "rowwise/cpu/transpose.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vector.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Short rows that follow each other without a gap, for any k: as many as there are lanes, one in
// each, so that no pass ends with a sum over lanes. Passes are those of support.h.
template <template <class> class MappingOf, class Scalar>
class TileForward {
 public:
  using Mapping = MappingOf<float>;
  using Fixed = typename Mapping::Fixed;
  static constexpr int kRows = kLanes<float>;

  TileForward(int64_t length, int64_t k, bool streams)
      : length_(length), k_(std::min(k, length)), fixed_(length), streams_(streams) {
    tile_.reserve(kRows * length);
    if (streams) block_.reserve(kRows * length);
  }

  // `readable` entries from the first on may be read.
  void operator()(Scalar const* logits, Scalar* weights, int64_t readable) {
    load(logits, readable);
    find_maxima(logits);
    estimate_thresholds();
    find_supports();
    bool const streams = streams_ && is_whole_lines(weights, kRows * length_);
    Scalar* const block = streams ? block_.data() : weights;
    for (int row = 0; row < kRows; ++row) write(row, logits + row * length_, block + row * length_);
    if (streams) stream_lines(weights, block, kRows * length_);
  }

 private:
  static constexpr int kHalf = kLanes<double>;
  using Keys = Vector<int32_t>;

  Floats* tile() { return reinterpret_cast<Floats*>(tile_.data()); }

  void load(Scalar const* rows, int64_t readable) {
    int64_t column = 0;
    for (; column + kRows <= length_; column += kRows) load_square(rows, column);
    if (column == length_) return;
    int64_t const first = std::max<int64_t>(0, length_ - kRows);
    if (length_ >= kRows) return load_square(rows, first);
    if ((kRows - 1) * length_ + kRows <= readable) return load_square(rows, 0);
    for (int64_t i = 0; i < length_; ++i) {
      for (int row = 0; row < kRows; ++row) tile()[i][row] = widen(rows[row * length_ + i]);
    }
  }

  void load_square(Scalar const* rows, int64_t first) {
    Floats square[kRows];
    for (int row = 0; row < kRows; ++row) square[row] = widen_lanes(rows + row * length_ + first);
    transpose<float>(square);
    int64_t const count = std::min<int64_t>(kRows, length_);
    for (int64_t i = 0; i < count; ++i) {
      __builtin_prefetch(rows + (kRows + i) * length_ + first);
      tile()[first + i] = square[i];
    }
  }

  // Rows that are not ordinary get a maximum of NaN, so that no comparison holds in them.
  void find_maxima(Scalar const* rows) {
    Floats maximum = tile()[0];
    Floats sum = {};
    for (int64_t column = 0; column < length_; ++column) {
      maximum = larger(maximum, tile()[column]);
      sum += tile()[column];
    }
    // No comparison finds a NaN, but a sum keeps it; sums that overflow are NaN too.
    auto const difference = maximum - maximum;
    auto const is_suspect = (sum != sum) | (difference != difference);
    maxima_ = maximum;
    for_each_lane<int32_t>(lanes_at_least<int32_t>(Keys{} - 1, is_suspect), [&](int row) {
      auto const range = range_of(rows + row * length_, length_);
      maxima_[row] = range.is_ordinary() ? range.maximum() : NAN;
    });
  }

  // Thresholds at or below those of the rows and near them.
  void estimate_thresholds() {
    Floats threshold = Floats{} - 1.0F;
    Floats counts = {};
    for (int pass = 0; pass < tuning::kMostEstimates; ++pass) {
      Floats const bound = maxima_ + threshold;
      Floats sums = {};
      Floats const previous = counts;
      counts = Floats{};
      for (int64_t column = 0; column < length_; ++column) {
        Floats const z = tile()[column];
        auto const is_above = z >= bound;
        sums += is_above ? z - maxima_ : Floats{};
        counts += is_above ? Floats{} + 1.0F : Floats{};
      }
      if (lanes_at_least<int32_t>(Keys{} - 1, counts != previous) == 0) break;
      threshold = (sums - 1.0F) / counts;
    }
    threshold -= estimate_error(length_ * kRows);
    double const scale = fixed_.scale();
    int half = 0;
    for_each_half(threshold, [&](Doubles x) {
      thresholds_[half++] = mappings::round_to_integer(x * scale) - 1.0;
    });
  }

  // Sums the terms for which includes(logits, terms, half) holds in each row.
  template <class Includes>
  void sum_if(Includes const& includes) {
    Vector<int64_t> sums[2] = {};
    Vector<int64_t> counts[2] = {};
    Doubles smallest[2] = {Doubles{} + INFINITY, Doubles{} + INFINITY};
    Doubles maxima[2];
    int next = 0;
    for_each_half(maxima_, [&](Doubles x) { maxima[next++] = x; });
    for (int64_t column = 0; column < length_; ++column) {
      int half = 0;
      for_each_half(tile()[column], [&](Doubles z) {
        auto const terms = Mapping::terms(z, maxima[half], fixed_);
        auto const is_included = includes(z, terms, half);
        sums[half] += is_included & integers_of(terms);
        counts[half] -= is_included;
        smallest[half] = smaller(smallest[half], is_included ? z : smallest[half]);
        ++half;
      });
    }
    store(sums_, sums);
    store(counts_, counts);
    store(smallest_, smallest);
  }

  void find_supports() {
    for (bool goes_on = true; goes_on;) {
      sum_if([&](Doubles, Doubles terms, int half) { return terms > thresholds_[half]; });
      goes_on = false;
      for (int row = 0; row < kRows; ++row) {
        if (counts_[row] == 0) continue;
        Mapping const mapping(maxima_[row], fixed_);
        auto const smallest = static_cast<float>(smallest_[row]);
        auto const threshold = mapping.threshold({{sums_[row]}, counts_[row]});
        supports_[row] = {threshold, smallest, counts_[row], counts_[row], counts_[row] > k_};
        thresholds_[row / kHalf][row % kHalf] = static_cast<double>(threshold.integer);
        if (!mapping.is_above(mapping.term(smallest), threshold)) goes_on = true;
      }
    }
    bool is_capped = false;
    for (int row = 0; row < kRows; ++row) is_capped |= counts_[row] > k_;
    if (is_capped) keep_largest();
  }

  // The k-th largest entry of the rows that have more in their support.
  void keep_largest() {
    Keys low;   // as many as k entries are at least this
    Keys high;  // fewer are at least this
    Keys count_at_low;
    Keys count_at_high = {};
    for (int row = 0; row < kRows; ++row) {
      bool const is_capped = counts_[row] > k_;
      low[row] = is_capped ? key_of(supports_[row].smallest) : 0;
      high[row] = is_capped ? key_after<float>(maxima_[row]) : 1;
      count_at_low[row] = is_capped ? static_cast<int32_t>(counts_[row]) : 0;
    }
    auto const cap = static_cast<int32_t>(k_);
    for (int step = 0;; ++step) {
      Keys const is_open = (count_at_low > cap) & (high - low > 1);
      if (lanes_at_least<int32_t>(Keys{} - 1, is_open) == 0) break;
      Keys middle = keys_of(floats_of(low) / 2 + floats_of(high) / 2);
      middle = (step >= tuning::kStepsByValue) | (middle <= low) | (middle >= high)
                   ? low + ((high - low) >> 1)
                   : middle;
      Floats const bound = floats_of(middle);
      Keys counts = {};
      for (int64_t column = 0; column < length_; ++column) counts -= tile()[column] >= bound;
      Keys const is_enough = counts >= cap;
      low = is_open & is_enough ? middle : low;
      count_at_low = is_open & is_enough ? counts : count_at_low;
      high = is_open & ~is_enough ? middle : high;
      count_at_high = is_open & ~is_enough ? counts : count_at_high;
    }
    Keys const has_ties = count_at_low > cap;
    Doubles bounds[2];
    int next = 0;
    for_each_half(floats_of(has_ties ? high : low), [&](Doubles x) { bounds[next++] = x; });
    sum_if([&](Doubles z, Doubles, int half) { return z >= bounds[half]; });
    for (int row = 0; row < kRows; ++row) {
      if (!supports_[row].is_capped) continue;
      Mapping const mapping(maxima_[row], fixed_);
      float const smallest = scalar_of<float>(low[row]);
      int64_t const ties = has_ties[row] != 0 ? k_ - count_at_high[row] : 0;
      typename Mapping::Sum sum{{sums_[row]}, counts_[row]};
      sum.add(mapping.term(smallest), ties);
      supports_[row] = {mapping.threshold(sum), smallest, has_ties[row] != 0 ? ties : k_, k_, true};
    }
  }

  static Floats floats_of(Keys keys) { return reinterpret_cast<Floats>(reordered(keys)); }
  static Keys keys_of(Floats floats) { return reordered(reinterpret_cast<Keys>(floats)); }

  void write(int row, Scalar const* logits, Scalar* weights) {
    if (maxima_[row] != maxima_[row]) {
      std::fill_n(weights, length_, narrow<Scalar>(NAN));
    } else {
      write_dense_row(Mapping(maxima_[row], fixed_), supports_[row], logits, weights, length_);
    }
  }

  int64_t length_;
  int64_t k_;
  Fixed fixed_;
  bool streams_;
  Floats maxima_;
  Doubles thresholds_[2];  // whole numbers
  alignas(kVectorBytes) int64_t sums_[kRows];
  alignas(kVectorBytes) int64_t counts_[kRows];
  alignas(kVectorBytes) double smallest_[kRows];
  Support<Mapping, float> supports_[kRows];
  Scratch<float> tile_;
  Scratch<Scalar> block_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
