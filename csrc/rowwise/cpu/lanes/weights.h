#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/ordered_key.h"

// The k largest entries of several rows, one row to a lane, and their weights, for small k.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Collects the `Count` largest entries of as many rows as there are lanes, larger first.
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

// The weights of all entries of such rows, given the K + 1 largest ones of each row. An entry that
// equals one of the K largest has the weight of that one, and any other has none. If the next one
// equals the last of the K, only the first entries of that value have a weight. Weights are bits.
template <class Numbers, int K>
class LaneWeights {
 public:
  using Element = typename Numbers::Element;
  using Bits = typename Numbers::Bits;
  static constexpr int kRows = kLanes<Element>;

  void set_largest(Largest<Numbers, K + 1> const& largest) {
    for (int i = 0; i < K; ++i) {
      store(entries_[i], largest.entries[i]);
      store(logits_[i], Numbers::bits(largest.entries[i]));
    }
    seen_ = largest.seen;
    is_tied_ = largest.entries[K - 1] == largest.entries[K];
  }

  typename Numbers::Seen const& seen() const { return seen_; }
  Vector<Element> maxima() const { return load<Element>(entries_[0]); }

  // The bits of the i-th largest entry of each row, and those of its weight, which the caller sets.
  Element const* logits(int i) const { return logits_[i]; }
  Bits* weights(int i) { return weights_[i]; }

  // The rows that may not be ordinary, as a bit mask.
  void set_suspects(Vector<Bits> comparison) { suspects_ = lanes_where(comparison); }
  uint64_t suspects() const { return suspects_; }

  // Sets the weights of ties for the last place apart, since only the first ones have them.
  void settle_ties() {
    is_tied_ = is_tied_ & (load<Bits>(weights_[K - 1]) != 0);
    rows_with_ties_ = lanes_where(is_tied_);
    if (rows_with_ties_ != 0) take_ties_away();
  }

  // Whether an entry with a weight is 0, which has the bits of two numbers.
  bool find_zeros() {
    Vector<Bits> zero_weights = {};
    for (int i = 0; i < K; ++i) {
      zero_weights |= load<Element>(entries_[i]) == 0 ? load<Bits>(weights_[i]) : Vector<Bits>{};
    }
    store(zero_weights_, zero_weights);
    return lanes_where(zero_weights != 0) != 0;
  }

  bool has_ties(int row) const { return (rows_with_ties_ >> row & 1U) != 0; }

  // Replaces the entries of all rows, one to a lane, by their weights.
  template <int Count>
  void replace(Vector<Element> (&columns)[Count]) const {
    if (rows_with_ties_ != 0) return replace_with_ties(columns);
#pragma GCC unroll 32
    for (int column = 0; column < Count; ++column) {
      columns[column] = reinterpret_cast<Vector<Element>>(weigh(columns[column]));
    }
  }

  // Looks up the weights of a row's entries, a vector at a time. Ties have none here. Entries are
  // compared by their bits, so `HasZeros` says that a zero may have a weight.
  template <bool HasZeros>
  class OfRow {
   public:
    OfRow(LaneWeights const& all, int row) {
      for (int i = 0; i < K; ++i) {
        entries_[i] = broadcast(all.logits_[i][row]);
        weights_[i] = broadcast(all.weights_[i][row]);
      }
      if constexpr (HasZeros) {
        entries_[K] = broadcast(Numbers::kMinusZero);
        weights_[K] = broadcast(all.zero_weights_[row]);
      }
    }

    Vector<Bits> operator()(Element const* row, int64_t column) const {
      auto const entries = load<Element>(row + column);
      Vector<Bits> result = {};
      for (int i = 0; i < kCount; ++i) result = entries == entries_[i] ? weights_[i] : result;
      return result;
    }

   private:
    static constexpr int kCount = HasZeros ? K + 1 : K;
    Vector<Element> entries_[kCount];
    Vector<Bits> weights_[kCount];
  };

  // Does what OfRow does, in a row with ties. `last` is where the row's last vector begins.
  template <class OfRow>
  class OfTies {
   public:
    OfTies(OfRow const& others, LaneWeights const& all, int lane, Element const* row, int64_t last)
        : others_(others),
          tie_(broadcast(all.entries_[K - 1][lane])),
          weight_(broadcast(all.tie_weights_[lane])),
          end_(end_of_ties(row, all.ties_[lane], last)) {}

    Vector<Bits> operator()(Element const* row, int64_t column) const {
      auto const is_kept = is_tie(row + column) & first_lanes<Bits>(end_ - column);
      return is_kept ? weight_ : others_(row, column);
    }

    // The index after the last tie that has a weight.
    int64_t end() const { return end_; }

   private:
    auto is_tie(Element const* entries) const {
      return Numbers::of_bits(load<Element>(entries)) == tie_;
    }

    int64_t end_of_ties(Element const* row, Bits rest, int64_t last) const {
      for (int64_t column = 0; column < last + kRows; column += kRows) {
        int64_t const first = std::min(column, last);
        uint64_t lanes = lanes_where(is_tie(row + first)) & ~uint64_t{0} << (column - first);
        for (; lanes != 0; lanes &= lanes - 1) {
          if (--rest == 0) return first + std::countr_zero(lanes) + 1;
        }
      }
      return last + kRows;
    }

    OfRow const& others_;
    Vector<Element> tie_;
    Vector<Bits> weight_;
    int64_t end_;
  };

 private:
  Vector<Bits> weigh(Vector<Element> entries) const {
    Vector<Bits> result = {};
    for (int i = 0; i < K; ++i) {
      result = entries == load<Element>(entries_[i]) ? load<Bits>(weights_[i]) : result;
    }
    return result;
  }

  template <int Count>
  [[gnu::noinline]] void replace_with_ties(Vector<Element> (&columns)[Count]) const {
    auto const tie = load<Element>(entries_[K - 1]);
    auto rest = load<Bits>(ties_);
    for (int column = 0; column < Count; ++column) {
      auto const is_tie = is_tied_ & (columns[column] == tie);
      auto const is_kept = is_tie & (rest > 0);
      rest += is_tie;
      auto const weights = is_kept ? load<Bits>(tie_weights_) : weigh(columns[column]);
      columns[column] = reinterpret_cast<Vector<Element>>(weights);
    }
  }

  [[gnu::noinline]] void take_ties_away() {
    store(tie_weights_, load<Bits>(weights_[K - 1]));
    auto const tie = load<Element>(entries_[K - 1]);
    Vector<Bits> count = {};
    for (int i = 0; i < K; ++i) {
      auto const is_tie = is_tied_ & (load<Element>(entries_[i]) == tie);
      store(weights_[i], is_tie ? Vector<Bits>{} : load<Bits>(weights_[i]));
      count -= is_tie;
    }
    store(ties_, count);
  }

  static uint64_t lanes_where(Vector<Bits> comparison) {
    return lanes_at_least<Bits>(broadcast<Bits>(-1), comparison);
  }

  alignas(kVectorBytes) Element entries_[K][kRows];
  alignas(kVectorBytes) Element logits_[K][kRows];
  alignas(kVectorBytes) Bits weights_[K][kRows];
  alignas(kVectorBytes) Bits ties_[kRows];  // how many of the K equal the last one
  alignas(kVectorBytes) Bits tie_weights_[kRows];
  alignas(kVectorBytes) Bits zero_weights_[kRows];
  typename Numbers::Seen seen_;
  Vector<Bits> is_tied_;
  uint64_t suspects_;
  uint64_t rows_with_ties_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
