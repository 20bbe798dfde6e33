#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/rows/write_sparse.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Writes numbers that follow each other around the caches, from scratch that holds a line and the
// most that is written at once.
template <class Scalar>
class StreamedLines {
 public:
  StreamedLines(Scalar* destination, Scalar* scratch)
      : destination_(destination), scratch_(scratch) {
    auto const misaligned = reinterpret_cast<uintptr_t>(destination) % kLineBytes;
    held_ = static_cast<int64_t>(misaligned / sizeof(Scalar));
    left_out_ = held_;
    destination_ -= held_;
  }

  // Where to put what comes next.
  Scalar* next() { return scratch_ + held_; }

  // Writes `count` numbers that were put there, except for those of an incomplete line.
  void write(int64_t count) {
    int64_t const end = held_ + count;
    int64_t const whole = end / kLine * kLine;
    int64_t first = 0;
    if (left_out_ > 0 && whole > 0) {
      std::copy(scratch_ + left_out_, scratch_ + kLine, destination_ + left_out_);
      left_out_ = 0;
      first = kLine;
    }
    stream_lines(destination_ + first, scratch_ + first, whole - first);
    std::copy(scratch_ + whole, scratch_ + end, scratch_);
    destination_ += whole;
    held_ = end - whole;
  }

  void write_rest() { std::copy(scratch_ + left_out_, scratch_ + held_, destination_ + left_out_); }

 private:
  static constexpr int64_t kLine = kLineBytes / static_cast<int64_t>(sizeof(Scalar));

  Scalar* destination_;  // of the first number in scratch
  Scalar* scratch_;
  int64_t held_;      // of an incomplete line
  int64_t left_out_;  // of a first line, which are not of these numbers
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
