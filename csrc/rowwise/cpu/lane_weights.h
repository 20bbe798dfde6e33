#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/conversion.h"
#include "rowwise/cpu/lane_numbers.h"
#include "rowwise/cpu/vector.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

// The k largest entries of several rows, one row to a lane, and what they weigh, for small k.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The largest entries of as many rows as there are lanes, larger first.
template <class Numbers, int Count>
struct Largest {
  using Element = typename Numbers::Element;

  Vector<Element> entries[Count];
  typename Numbers::Seen seen;

  Largest() { std::fill_n(entries, Count, broadcast<Element>(Numbers::kLowest)); }

  void add(Vector<Element> entry) {
    seen.add(entry);
#pragma GCC unroll 8
    for (int i = Count - 1; i > 0; --i) {
      entries[i] = larger(entries[i], smaller(entries[i - 1], entry));
    }
    entries[0] = larger(entries[0], entry);
  }
};

// What the entries of as many rows weigh, given the K largest of each and the next one: as much as
// that of the K which they equal, or nothing. Where the next one equals the last of the K, only the
// first such entries are kept.
template <class Mapping, class Scalar, int K>
class LaneWeights {
 public:
  // Few processors compare integers of 64 bits.
  using Numbers =
      std::conditional_t<sizeof(Scalar) == 8, LaneNumbers<Scalar>, LaneIntegers<Scalar>>;
  using Element = typename Numbers::Element;
  using Bits = key_t<Scalar>;
  static constexpr int kRows = kLanes<Bits>;

  void set_largest(Largest<Numbers, K + 1> const& largest) {
    for (int i = 0; i < K; ++i) {
      Numbers::widen_to(logits_[i], largest.entries[i]);
      store(entries_[i], largest.entries[i]);
    }
    suspects_ = lanes_where(largest.seen.suspects(largest.entries[0]));
    is_tied_ = largest.entries[K - 1] == largest.entries[K];
    ties_ = Vector<Bits>{};
    for (int i = 0; i < K; ++i) ties_ -= largest.entries[i] == largest.entries[K - 1];
  }

  void weigh(typename Mapping::Fixed const& fixed) {
    if constexpr (std::is_same_v<Real, double>) {
      for (int row = 0; row < kRows; ++row) weigh_one(row, fixed);
    } else {
      for (int row = 0; row < kRows; row += kLanes<double>) weigh_vector(row, fixed);
    }
  }

  // Takes the weights of ties away, to be given to the first ones alone.
  void find_ties() {
    store(tie_weights_, weights(K - 1));
    is_tied_ = is_tied_ & (weights(K - 1) != 0);
    rows_with_ties_ = lanes_where(is_tied_);
    if (rows_with_ties_ == 0) return;
    auto const last = load<Element>(entries_[K - 1]);
    for (int i = 0; i < K; ++i) {
      auto const is_tie = is_tied_ & (load<Element>(entries_[i]) == last);
      store(weights_[i], is_tie ? Vector<Bits>{} : weights(i));
    }
  }

  // Calls visit(row) for the rows that may not be ordinary.
  template <class Visit>
  void for_each_suspect(Visit const& visit) const {
    for_each_lane(suspects_, visit);
  }

  bool has_ties(int row) const { return (rows_with_ties_ >> row & 1U) != 0; }

  // Replaces the entries of all rows, one to a lane, by the bits of their weights.
  template <int Count>
  void replace(Vector<Element> (&columns)[Count]) const {
    if (rows_with_ties_ != 0) return replace_with_ties(columns);
#pragma GCC unroll 32
    for (int column = 0; column < Count; ++column) {
      columns[column] = reinterpret_cast<Vector<Element>>(weigh(columns[column]));
    }
  }

  // The bits of the weights of entries of one row, without its ties.
  class OfRow {
   public:
    OfRow(LaneWeights const& all, int row) {
      for (int i = 0; i < K; ++i) {
        entries_[i] = broadcast<Element>(all.entries_[i][row]);
        weights_[i] = broadcast<Bits>(rowwise::detail::signed_bits(all.weights_[i][row]));
      }
    }

    Vector<Bits> operator()(Vector<Element> entries) const {
      Vector<Bits> result = {};
      for (int i = 0; i < K; ++i) result = entries == entries_[i] ? weights_[i] : result;
      return result;
    }

   private:
    Vector<Element> entries_[K];
    Vector<Bits> weights_[K];
  };

  // Writes the weights of a row's ties.
  [[gnu::noinline]] void put_ties(int row, Scalar const* logits, Scalar* weights,
                                  int64_t length) const {
    Bits rest = ties_[row];
    for (int64_t column = 0; column < length && rest > 0; ++column) {
      if (Numbers::of_one(logits[column]) != entries_[K - 1][row]) continue;
      weights[column] = tie_weights_[row];
      --rest;
    }
  }

 private:
  using Real = widened_t<Scalar>;

  Vector<Bits> weights(int i) const { return load<Bits>(weights_[i]); }

  Vector<Bits> weigh(Vector<Element> entries) const {
    Vector<Bits> result = {};
    for (int i = 0; i < K; ++i) {
      result = entries == load<Element>(entries_[i]) ? weights(i) : result;
    }
    return result;
  }

  template <int Count>
  [[gnu::noinline]] void replace_with_ties(Vector<Element> (&columns)[Count]) const {
    Vector<Bits> rest = ties_;
    for (int column = 0; column < Count; ++column) {
      auto const is_tie = is_tied_ & (columns[column] == load<Element>(entries_[K - 1]));
      auto const is_kept = is_tie & (rest > 0);
      rest += is_tie;
      auto const weights = is_kept ? load<Bits>(tie_weights_) : weigh(columns[column]);
      columns[column] = reinterpret_cast<Vector<Element>>(weights);
    }
  }

  void weigh_vector(int first, typename Mapping::Fixed const& fixed) {
    Doubles entries[K];
    Doubles results[K];
    for (int i = 0; i < K; ++i) entries[i] = load_doubles(logits_[i] + first);
    Mapping::weights_of_largest(entries, fixed, results);
    for (int i = 0; i < K; ++i) narrow_doubles(results[i], weights_[i] + first);
  }

  // By sums of more than a double holds.
  void weigh_one(int row, typename Mapping::Fixed const& fixed) {
    Mapping const mapping(logits_[0][row], fixed);
    typename Mapping::Term terms[K];
    typename Mapping::Sum sum;
    auto threshold = mapping.lowest_threshold();
    // An infinite row has no terms, and is made NaN later.
    int const most = std::isfinite(mapping.maximum()) ? K : 0;
    int count = 0;
    for (; count < most && logits_[count][row] >= mapping.lower_bound(); ++count) {
      terms[count] = mapping.term(logits_[count][row]);
      auto longer_sum = sum;
      longer_sum.add(terms[count]);
      auto const longer_threshold = mapping.threshold(longer_sum);
      if (!mapping.is_above(terms[count], longer_threshold)) break;
      sum = longer_sum;
      threshold = longer_threshold;
    }
    for (int i = 0; i < K; ++i) {
      weights_[i][row] = i < count ? mapping.weight(terms[i], threshold) : 0;
    }
  }

  static uint64_t lanes_where(Vector<Bits> comparison) {
    return lanes_at_least<Bits>(broadcast<Bits>(-1), comparison);
  }

  alignas(kVectorBytes) Real logits_[K][kRows];
  alignas(kVectorBytes) Element entries_[K][kRows];
  alignas(kVectorBytes) Scalar weights_[K][kRows];
  alignas(kVectorBytes) Scalar tie_weights_[kRows];
  uint64_t suspects_;
  uint64_t rows_with_ties_;
  Vector<Bits> is_tied_;
  Vector<Bits> ties_;  // how many of the K equal the last one
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
