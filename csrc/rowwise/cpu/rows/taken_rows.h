#pragma once

#include <cstdint>

#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/mask.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Prefetches a later row, vector by vector. If that row does not exist, `row` is one that does, of
// which only the beginning is prefetched: it takes long to prefetch pages that do not exist.
template <class Scalar>
class RowAhead {
 public:
  RowAhead(Scalar const* row, bool exists)
      : row_(reinterpret_cast<char const*>(row)), step_(exists ? kVectorBytes : 0) {}

  void prefetch(int64_t i) const { __builtin_prefetch(row_ + i * step_); }

 private:
  char const* row_;
  int64_t step_;
};

template <class Entry>
inline void prefetch_lines(Entry const* entries, int64_t count) {
  constexpr int64_t kLine = kLineBytes / static_cast<int64_t>(sizeof(Entry));
  for (int64_t i = 0; i < count; i += kLine) __builtin_prefetch(entries + i);
}

// Prefetches the row that is taken after one that is taken alone, and its mask, from their
// beginning on. Either may be null, and is not prefetched then.
template <class Scalar>
class LoneRowAhead {
 public:
  LoneRowAhead() = default;
  LoneRowAhead(Scalar const* logits, MaskEntry const* mask) : logits_(logits), mask_(mask) {}

  template <int Count>
  void prefetch_next() {
    prefetch_next<Count>(logits_);
    prefetch_next<Count>(mask_);
  }

 private:
  template <int Count, class Entry>
  static void prefetch_next(Entry const*& entries) {
    if (entries == nullptr) return;
    prefetch_lines(entries, Count);
    entries += Count;
  }

  Scalar const* logits_ = nullptr;
  MaskEntry const* mask_ = nullptr;
};

// Rows that are taken together. They follow each other without a gap.
template <class Scalar>
struct TakenRows {
  Scalar const* logits;
  int64_t first;  // the number of the first row
  int64_t rows;
  int64_t length;
  int64_t readable;  // how many entries from `logits` on may be read
  // How many entries from `logits` on those rows lie that are taken next, as many as these. 0 if
  // there are not as many, or if they are not worth a prefetch.
  int64_t next = 0;
  MaskEntry const* next_masks = nullptr;  // of those rows; null like 0

  // The row that is taken next in place of one of these. Its mask is prefetched at once.
  RowAhead<Scalar> ahead(int64_t row) const {
    prefetch_masks(row, 1);
    return {logits + (next == 0 ? 0 : next + row * length), next != 0};
  }

  // The same for a row that is taken alone.
  LoneRowAhead<Scalar> lone_ahead() const {
    return {next == 0 ? nullptr : logits + next, next_masks};
  }

  void prefetch_masks(int64_t row, int64_t count) const {
    if (next_masks != nullptr) prefetch_lines(next_masks + row * length, count * length);
  }
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
