#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/vector.h"

// Writes rows in which most entries are zero.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

inline bool is_streamed(int64_t bytes) { return bytes >= tuning::kStreamedBytes; }

template <class Scalar>
inline void write_zeros(Scalar* row, int64_t length) {
  std::memset(static_cast<void*>(row), 0, static_cast<size_t>(length) * sizeof(Scalar));
}

template <class Scalar>
inline bool is_whole_lines(Scalar const* first, int64_t length) {
  auto const bytes = static_cast<uintptr_t>(length) * sizeof(Scalar);
  return (reinterpret_cast<uintptr_t>(first) | bytes) % kLineBytes == 0;
}

// Writes whole lines with non-temporal stores.
template <class Scalar>
inline void stream_lines(Scalar* destination, Scalar const* source, int64_t length) {
  for (int64_t i = 0; i < length; i += kLineBytes / sizeof(Scalar)) {
    stream_line(destination + i, source + i);
  }
}

// Writes zeros with non-temporal stores, a few lines at a time.
class StreamedZeros {
 public:
  StreamedZeros(void* first, void* last)
      : next_(static_cast<char*>(first)), last_(static_cast<char*>(last)) {
    auto const misaligned = static_cast<int64_t>(reinterpret_cast<uintptr_t>(first) % kLineBytes);
    int64_t const head = std::min((kLineBytes - misaligned) % kLineBytes, last_ - next_);
    std::memset(next_, 0, static_cast<size_t>(head));
    next_ += head;
  }

  void write(int lines) {
    if (last_ - next_ < lines * kLineBytes) return;
    for (int i = 0; i < lines; ++i) stream_zero_line(next_ + i * kLineBytes);
    next_ += lines * kLineBytes;
  }

  void write_rest() {
    while (last_ - next_ >= kLineBytes) write(1);
    std::memset(next_, 0, static_cast<size_t>(last_ - next_));
  }

 private:
  char* next_;
  char* last_;
};

// Writes a row that is zero but for `count` entries, whose indices increase.
template <class Scalar, class Column>
inline void write_sparse_row(Scalar* row, int64_t length, int64_t count, Column const* columns,
                             Scalar const* values) {
  write_zeros(row, length);
  for (int64_t i = 0; i < count; ++i) row[columns[i]] = values[i];
}

// Writes such a row with non-temporal stores, line by line: a second store to a line would have to
// read it first. Needs stream_fence() before another thread may read the row.
template <class Scalar, class Column>
inline void stream_sparse_row(Scalar* row, int64_t length, int64_t count, Column const* columns,
                              Scalar const* values) {
  constexpr int64_t kLine = kLineBytes / sizeof(Scalar);
  auto const misaligned = static_cast<int64_t>(reinterpret_cast<uintptr_t>(row) % kLineBytes);
  int64_t const head = std::min<int64_t>(
      length, (kLineBytes - misaligned) % kLineBytes / static_cast<int64_t>(sizeof(Scalar)));
  int64_t const tail = head + (length - head) / kLine * kLine;
  int64_t next = 0;
  auto const write_part = [&](int64_t first, int64_t last) {
    write_zeros(row + first, last - first);
    for (; next < count && columns[next] < last; ++next) row[columns[next]] = values[next];
  };
  write_part(0, head);
  int64_t column = head;
  while (column < tail) {
    int64_t const stop = next < count ? std::min<int64_t>(columns[next], tail) : tail;
    for (; column + kLine <= stop; column += kLine) stream_zero_line(row + column);
    if (column == tail) break;
    alignas(kLineBytes) Scalar line[kLine] = {};
    for (; next < count && columns[next] < column + kLine; ++next) {
      line[columns[next] - column] = values[next];
    }
    stream_line(row + column, line);
    column += kLine;
  }
  write_part(tail, length);
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
