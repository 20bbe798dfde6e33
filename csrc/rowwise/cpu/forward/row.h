#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cpu/forward/candidates.h"
#include "rowwise/cpu/rows/scan.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/write_dense.h"
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps rows to their weights. Both rows are contiguous and do not overlap.
template <template <class> class MappingOf, class Scalar>
class RowForward {
 public:
  using Real = widened_t<Scalar>;
  using Mapping = MappingOf<Real>;

  using Fixed = typename Mapping::Fixed;

  RowForward(Fixed const& fixed, int64_t length, int64_t k, bool streams)
      : fixed_(fixed),
        length_(length),
        k_(std::min(k, length)),
        streams_(streams),
        candidates_(fixed, k_, capacity()),
        of_lanes_(fixed, k_, LaneExtremes<Scalar>::kCount) {
    values_.reserve(candidates_.capacity());
  }

  void operator()(Scalar const* logits, Scalar* weights) {
    if (length_ < kLanes<key_t<Scalar>>) {
      forward_short(logits, weights);
    } else {
      forward_long(logits, weights);
    }
  }

  // A row may also be taken in parts, each by an object of its own, of which the first part's takes
  // in the others in order and writes. A part is read block by block: a block is in the nearest
  // cache when its candidates are listed, and zeros are on their way while it is read.
  void scan_part(Scalar const* logits, Scalar* weights, int64_t first, int64_t last) {
    StreamedZeros zeros(weights + first, weights + (streams_ ? last : first));
    using Key = key_t<Scalar>;
    range_ = {std::numeric_limits<Key>::max(), std::numeric_limits<Key>::min()};
    has_list_ = true;
    bool is_begun = begin_by_sample(logits + first, last - first);
    for (int64_t end; first < last; first = end) {
      end = first + tuning::kBlock;
      if (end + kShortest > last) end = last;
      LaneExtremes<Scalar> const extremes(logits + first, end - first,
                                          [&] { zeros.write(kLinesPerStep); });
      if (!streams_) write_zeros(weights + first, end - first);
      range_.add(extremes.range());
      if (!range_.is_ordinary() || !has_list_) continue;
      Mapping const mapping(range_.maximum(), fixed_);
      is_begun ? candidates_.raise_maximum(mapping) : candidates_.begin_row(mapping);
      is_begun = true;
      raise_bound(mapping, extremes);
      has_list_ = collect(logits, first, end);
    }
    zeros.write_rest();
  }

  void add_part(RowForward const& part) {
    bool const has_room = is_short() || candidates_.size() + part.candidates_.size() <= capacity();
    has_list_ = has_list_ && part.has_list_ && has_room;
    range_.add(part.range_);
    if (!has_list_ || !range_.is_ordinary()) return;
    candidates_.raise_maximum(Mapping(range_.maximum(), fixed_));
    candidates_.add(part.candidates_);
  }

  void write_parts(Scalar const* logits, Scalar* weights) {
    if (!range_.is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(range_.maximum(), fixed_);
    if (!has_list_) return write_by_estimate(mapping, logits, weights, mapping.lowest_threshold());
    candidates_.raise_maximum(mapping);
    auto const support = candidates_.reduce_to_support();
    weigh(mapping, support.threshold);
    for (int64_t i = 0; i < candidates_.size(); ++i) {
      weights[candidates_.columns()[i]] = values_.data()[i];
    }
  }

 private:
  static constexpr int64_t kMostAtOnce = 64;                   // candidates that collect() adds
  static constexpr int64_t kShortest = kLanes<key_t<Scalar>>;  // block
  static constexpr int kLinesPerStep =
      LaneExtremes<Scalar>::kCount * static_cast<int>(sizeof(Scalar)) / kLineBytes;

  static int64_t short_list(int64_t k) { return std::max<int64_t>(tuning::kSmallestList, 4 * k); }

  // Whether a list of candidates can be kept short, however many there are.
  bool is_short() const { return short_list(k_) < length_ / 2; }

  // The most candidates that make a list.
  int64_t most() const { return is_short() ? length_ : length_ / tuning::kDensePart; }

  int64_t capacity() const {
    return is_short() ? short_list(k_) : std::min(length_, most() + kMostAtOnce);
  }

  void forward_long(Scalar const* logits, Scalar* weights) {
    if (length_ >= 2 * tuning::kBlock && !needs_estimate_) {
      scan_part(logits, weights, 0, length_);
      return write_parts(logits, weights);
    }
    LaneExtremes<Scalar> const extremes(logits, length_);
    if (!extremes.range().is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(extremes.range().maximum(), fixed_);
    auto threshold = mapping.lowest_threshold();
    if (!needs_estimate_) {
      candidates_.begin_row(mapping);
      threshold = raise_bound(mapping, extremes);
      if (collect(logits, 0, length_)) return write_support(mapping, weights);
    }
    write_by_estimate(mapping, logits, weights, threshold);
  }

  // Of rows with many candidates, given a threshold that is not above that of the row.
  void write_by_estimate(Mapping const& mapping, Scalar const* logits, Scalar* weights,
                         typename Mapping::Threshold threshold) {
    Entries<Real> const entries = widened(logits);
    if constexpr (std::is_same_v<Real, float>) {
      auto const known = static_cast<float>(mapping.below(threshold));
      auto const estimate = estimate_threshold(mapping, entries, std::max(known, last_threshold_));
      last_threshold_ = estimate.threshold;
      threshold = mapping.threshold_below(estimate.threshold);
      needs_estimate_ = estimate.count > most() / 4;
      if (estimate.count <= most()) {
        candidates_.begin_row(mapping, threshold);
        if (collect(logits, 0, length_)) return write_support(mapping, weights);
      }
    }
    auto const support = find_support(mapping, entries, k_, threshold);
    write_dense({mapping, support}, entries.data, weights);
  }

  void write_dense(DenseRow<Mapping, Scalar> row, Real const* entries, Scalar* weights) {
    if (!streams_ || !is_whole_lines(weights, length_)) return row.write(entries, weights, length_);
    constexpr int64_t kPiece = 2048 / static_cast<int64_t>(sizeof(Scalar));
    alignas(kLineBytes) Scalar piece[kPiece];
    for (int64_t first = 0; first < length_; first += kPiece) {
      int64_t const count = std::min(kPiece, length_ - first);
      row.write(entries + first, piece, count);
      stream_lines(weights + first, piece, count);
    }
  }

  // The row's entries in the type in which they are compared, for many passes.
  Entries<Real> widened(Scalar const* logits) {
    if constexpr (std::is_same_v<Scalar, Real>) {
      return {logits, length_};
    } else {
      constexpr int64_t kStep = kLanes<Real>;
      reals_.reserve(length_);
      int64_t column = 0;
      for (; column + kStep <= length_; column += kStep) {
        store(reals_.data() + column, widen_lanes(logits + column));
      }
      for (; column < length_; ++column) reals_.data()[column] = widen(logits[column]);
      return {reals_.data(), length_};
    }
  }

  // Begins a list of candidates with a bound from a sample of a long part, so that not each block
  // of an ascending row holds candidates. Returns whether it did.
  bool begin_by_sample(Scalar const* logits, int64_t length) {
    if (length < tuning::kSampledPart) return false;
    auto const extremes = LaneExtremes<Scalar>::of_sample(logits, length, tuning::kSampledVectors);
    range_.add(extremes.range());
    if (!range_.is_ordinary()) return false;
    Mapping const mapping(range_.maximum(), fixed_);
    candidates_.begin_row(mapping);
    raise_bound(mapping, extremes);
    return true;
  }

  // Raises the bound of the candidates to what the largest entries of lanes show. Returns a
  // threshold that is not above that of the row.
  typename Mapping::Threshold raise_bound(Mapping const& mapping,
                                          LaneExtremes<Scalar> const& extremes) {
    of_lanes_.begin_row(mapping);
    extremes.for_each_at_least(candidates_.bound(), [&](key_t<Scalar> key) {
      of_lanes_.add(widen(scalar_of<Scalar>(key)), 0);
    });
    auto const threshold = of_lanes_.begin_again();
    candidates_.raise_bound(of_lanes_.bound());
    return threshold;
  }

  // Whether there were few candidates.
  bool collect(Scalar const* logits, int64_t first, int64_t last) {
    return visit_at_least(
        logits + first, last - first, [&] { return candidates_.bound(); },
        [&](uint64_t mask, int64_t column) {
          candidates_.add(mask, logits + first + column, first + column);
          return candidates_.size() <= most();
        });
  }

  void forward_short(Scalar const* logits, Scalar* weights) {
    auto const range = range_of(logits, length_);
    if (!range.is_ordinary()) return fill_with_nan(weights);
    Mapping const mapping(range.maximum(), fixed_);
    candidates_.begin_row(mapping);
    for (int64_t column = 0; column < length_; ++column) {
      if (key_of(logits[column]) < candidates_.bound()) continue;
      candidates_.add(widen(logits[column]), column);
    }
    write_support(mapping, weights);
  }

  void write_support(Mapping const& mapping, Scalar* weights) {
    auto const support = candidates_.reduce_to_support();
    weigh(mapping, support.threshold);
    auto const write =
        streams_ ? &stream_sparse_row<Scalar, int64_t> : &write_sparse_row<Scalar, int64_t>;
    write(weights, length_, candidates_.size(), candidates_.columns(), values_.data());
  }

  void weigh(Mapping const& mapping, typename Mapping::Threshold const& threshold) {
    for (int64_t i = 0; i < candidates_.size(); ++i) {
      auto const term = mapping.term(candidates_.logits()[i]);
      values_.data()[i] = narrow<Scalar>(mapping.weight(term, threshold));
    }
  }

  void fill_with_nan(Scalar* weights) { std::fill_n(weights, length_, narrow<Scalar>(NAN)); }

  Fixed fixed_;
  int64_t length_;
  int64_t k_;
  bool streams_;
  float last_threshold_ = -1;    // of a row that needed an estimate: a guess for the next one
  bool needs_estimate_ = false;  // to find few candidates, as the row before did
  bool has_list_ = true;         // of all candidates of a part
  KeyRange<Scalar> range_;       // of a part
  Candidates<Mapping, Scalar> candidates_;
  Candidates<Mapping, Scalar> of_lanes_;  // the largest of each lane
  Scratch<Scalar> values_;
  Scratch<Real> reals_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
