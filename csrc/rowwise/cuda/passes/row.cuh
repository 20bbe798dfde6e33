#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "rowwise/cuda/tuning.h"
#include "rowwise/float16.h"

// Ways to read and write the entries of a row. Each has for_each(group, visit), which calls
// visit(column, entry) for the entries that fall to this thread. `column` is the index in the row.
namespace zeta::rowwise::cuda {

// The 16-byte vector that one thread reads or writes at once.
template <class Scalar>
struct alignas(kChunkBytes) Piece {
  static constexpr int kEntries = kChunkBytes / sizeof(Scalar);
  Scalar entries[kEntries];
};

namespace detail {

template <class Scalar>
__device__ Piece<Scalar> load_piece(Scalar const* aligned) {
  auto const bits = *reinterpret_cast<uint4 const*>(aligned);
  Piece<Scalar> result;
  memcpy(&result, &bits, sizeof(bits));
  return result;
}

template <class Scalar>
__device__ void store_piece(Scalar* aligned, Piece<Scalar> const& piece) {
  uint4 bits;
  memcpy(&bits, &piece, sizeof(bits));
#ifdef __CUDA_ARCH__
  // The compiler may take an assignment apart and join it with stores of single entries nearby.
  asm volatile("st.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(aligned), "r"(bits.x), "r"(bits.y),
               "r"(bits.z), "r"(bits.w)
               : "memory");
#else
  *reinterpret_cast<uint4*>(aligned) = bits;
#endif
}

template <class Scalar>
__device__ Scalar minus_infinity() {
  return narrow<Scalar>(-static_cast<double>(INFINITY));
}

}  // namespace detail

template <class Scalar, class Function>
__device__ Piece<Scalar> mapped(Piece<Scalar> piece, int first_column, Function const& function) {
#pragma unroll
  for (int i = 0; i < Piece<Scalar>::kEntries; ++i) {
    piece.entries[i] = function(first_column + i, piece.entries[i]);
  }
  return piece;
}

// A row whose entries are `stride` elements apart.
template <class Scalar>
struct StridedRow {
  using Value = std::remove_const_t<Scalar>;

  Scalar* begin;
  int64_t stride;
  int64_t length;

  __device__ Scalar& operator[](int64_t column) const { return begin[column * stride]; }

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    int64_t const step = group.threads();
    int64_t column = group.rank();
#pragma unroll 1
    for (; column + (kEntriesAhead - 1) * step < length; column += kEntriesAhead * step) {
      Value entries[kEntriesAhead];
#pragma unroll
      for (int i = 0; i < kEntriesAhead; ++i) entries[i] = (*this)[column + i * step];
#pragma unroll
      for (int i = 0; i < kEntriesAhead; ++i) visit(column + i * step, entries[i]);
    }
#pragma unroll 1
    for (; column < length; column += step) visit(column, (*this)[column]);
  }

  // Sets result[column] to function(column, entry).
  template <class Group, class Result, class Function>
  __device__ void map(Group const& group, StridedRow<Result> const& result,
                      Function const& function) const {
    for_each(group,
             [&](int64_t column, Scalar entry) { result[column] = function(column, entry); });
  }

  template <class Group>
  __device__ void fill(Group const& group, Scalar value) const {
    for (int64_t column = group.rank(); column < length; column += group.threads()) {
      (*this)[column] = value;
    }
  }
};

// A contiguous row of less than 2^31 entries. Its pieces are the aligned 16-byte vectors in memory
// that hold some of its entries.
template <class Scalar>
struct ContiguousRow {
  using Value = std::remove_const_t<Scalar>;
  static constexpr int kPerPiece = Piece<Value>::kEntries;

  Scalar* begin;
  int length;

  __device__ Scalar& operator[](int column) const { return begin[column]; }

  // Returns how many entries of the first piece lie before the row.
  __device__ int shift() const {
    return static_cast<int>(reinterpret_cast<uintptr_t>(begin) % kChunkBytes / sizeof(Scalar));
  }
  __device__ int pieces() const { return (shift() + length + kPerPiece - 1) / kPerPiece; }
  __device__ int first_column(int piece) const { return piece * kPerPiece - shift(); }
  __device__ bool is_piece_of_row(int first_column) const {
    return first_column >= 0 && first_column + kPerPiece <= length &&
           (first_column + shift()) % kPerPiece == 0;
  }
  __device__ bool holds(int column) const { return 0 <= column && column < length; }

  // Reads as many entries as a piece has, from `first_column` on. Those outside the row are -inf.
  __device__ Piece<Value> load(int first_column) const {
    if (is_piece_of_row(first_column)) return detail::load_piece<Value>(begin + first_column);
    Piece<Value> result;
#pragma unroll
    for (int i = 0; i < kPerPiece; ++i) {
      int const column = first_column + i;
      result.entries[i] = holds(column) ? begin[column] : detail::minus_infinity<Value>();
    }
    return result;
  }

  // Writes the entries of a piece that lie in the row.
  __device__ void store(int first_column, Piece<Value> const& piece) const {
    if (is_piece_of_row(first_column)) {
      detail::store_piece(begin + first_column, piece);
      return;
    }
#pragma unroll
    for (int i = 0; i < kPerPiece; ++i) {
      if (holds(first_column + i)) begin[first_column + i] = piece.entries[i];
    }
  }

  // Calls visit(first index, piece) for this thread's pieces. Entries outside the row are -inf.
  template <class Group, class Visit>
  __device__ void for_each_piece(Group const& group, Visit const& visit) const {
    int const count = pieces();
    constexpr int kAhead = kPiecesAhead<Scalar>;
    int const step = group.threads();
#pragma unroll 1
    for (int piece = group.rank(); piece < count; piece += kAhead * step) {
      Piece<Value> pieces[kAhead];
#pragma unroll
      for (int i = 0; i < kAhead; ++i) pieces[i] = load(first_column(piece + i * step));
#pragma unroll
      for (int i = 0; i < kAhead; ++i) visit(first_column(piece + i * step), pieces[i]);
    }
  }

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    for_each_piece(group, [&](int first, Piece<Value> const& piece) {
#pragma unroll
      for (int i = 0; i < kPerPiece; ++i) {
        if (holds(first + i)) visit(first + i, piece.entries[i]);
      }
    });
  }

  template <class Group, class Result, class Function>
  __device__ void map(Group const& group, ContiguousRow<Result> const& result,
                      Function const& function) const {
    for_each_piece(group, [&](int first, Piece<Value> const& piece) {
      result.store(first, mapped(piece, first, function));
    });
  }

  template <class Group>
  __device__ void fill(Group const& group, Scalar value) const {
    Piece<Value> filled;
#pragma unroll
    for (int i = 0; i < kPerPiece; ++i) filled.entries[i] = value;
    int const count = pieces();
    for (int piece = group.rank(); piece < count; piece += group.threads()) {
      store(first_column(piece), filled);
    }
  }

  // Returns the part of the row from index `first` up to, but without, index `last`.
  __device__ ContiguousRow part(int first, int last) const { return {begin + first, last - first}; }
};

// The entries of a row, or none, for a group that goes on only because it shares barriers with
// others.
template <class Entries>
struct EntriesIf {
  Entries const& entries;
  bool are_there;

  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
    if (are_there) entries.for_each(group, visit);
  }
};

}  // namespace zeta::rowwise::cuda
