#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/rows/write_sparse.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Writes numbers that follow each other with non-temporal stores, a line at a time. The scratch has
// room for a line and for the most numbers that are written at once.
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

  // Where the next numbers are to be put.
  Scalar* next() { return scratch_ + held_; }

  // Writes the `count` numbers that were put there, up to the last whole line.
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

  Scalar* destination_;  // where the first number in scratch goes
  Scalar* scratch_;
  int64_t held_;      // numbers in scratch, of an incomplete line
  int64_t left_out_;  // places of the first line before the first number
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
