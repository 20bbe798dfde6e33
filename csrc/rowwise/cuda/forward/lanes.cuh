#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cuda/forward/few_largest.cuh"
#include "rowwise/cuda/forward/passes.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/candidates.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// Short rows: a warp reads several of them into registers, some lanes for each, and leaves the
// candidates of each in a list. Then the lists are solved side by side, with as many lanes for each
// as there are. Rows with too many candidates for that are taken by passes over them, which are in
// the first cache.
namespace zeta::rowwise::cuda {

struct WarpShape {
  int lanes_per_row;  // while rows are read
  int rows_per_warp;
};

namespace detail {

// The lists of one warp, interleaved.
template <class Scalar>
struct WarpLists {
  Scalar* entries;
  uint16_t* columns;
  int* counts;  // kTooMany for a row that has no list
  key_t<Scalar>* largest;
  int rows;

  static constexpr int kTooMany = -1;

  __device__ int capacity() const { return kCandidatesPerWarp / rows; }
  __device__ Candidates<Scalar, uint16_t> of(int row) const {
    return {entries + row, columns + row, counts[row], rows};
  }
};

// The rows of one warp.
template <class Scalar>
struct WarpRows {
  RowGeometry<3> const& geometry;
  ForwardOperands<Scalar> const& operands;
  int64_t first;

  __device__ ForwardRow<Scalar> operator[](int number) const {
    return operands.row(geometry, first + number);
  }
};

// Lists the candidates of a row, which `tile` holds, and fills its weights with zeros.
template <class Mapping, int Pieces, class Scalar>
__device__ void list_candidates(Lanes const& lanes, typename Mapping::Fixed const& fixed,
                                Tile<Scalar, Pieces> const& tile,
                                ContiguousRow<Scalar> const& weights, int64_t k,
                                WarpLists<Scalar> const& lists, int number) {
  auto own_range = KeyRange<Scalar>::empty();
  tile.for_each(lanes, [&](int, Scalar entry) { own_range.add(KeyRange<Scalar>::of(entry)); });
  auto const range = lanes.reduce(own_range);
  bool const is_ordinary = range.is_ordinary();
  weights.fill(lanes, narrow<Scalar>(is_ordinary ? 0 : NAN));

  auto bound = Mapping(range.maximum(), fixed).lower_bound();
  if (k <= kMostLargest && k <= lanes.threads()) {
    auto const kth =
        widen(scalar_of<Scalar>(key_of_kth_thread<Scalar>(lanes, own_range.largest, k)));
    if (kth > bound) bound = kth;
  }
  int own_count = 0;
  tile.for_each(lanes, [&](int, Scalar entry) {
    if (is_ordinary && widen(entry) >= bound) ++own_count;
  });
  int const last = lanes.running_sum(own_count);
  int const count = lanes.last(last);
  bool const fits = count <= lists.capacity();
  if (fits && own_count > 0) {
    int place = (last - own_count) * lists.rows + number;
    tile.for_each(lanes, [&](int column, Scalar entry) {
      if (!(widen(entry) >= bound)) return;
      lists.entries[place] = entry;
      lists.columns[place] = static_cast<uint16_t>(column);
      place += lists.rows;
    });
  }
  if (lanes.rank() == 0) {
    lists.counts[number] = fits ? count : lists.kTooMany;
    lists.largest[number] = range.largest;
  }
}

template <class Mapping, int Pieces, class Scalar>
__device__ void list_rows(Lanes const& lanes, typename Mapping::Fixed const& fixed,
                          WarpRows<Scalar> const& rows, WarpLists<Scalar> const& lists) {
  auto const read = [&](int number) {
    return Tile<Scalar, Pieces>(lanes, rows[number].logits(), 0);
  };
  if constexpr (Pieces > kMostPiecesOfNextRow) {
    for (int number = lanes.group(); number < lists.rows; number += lanes.groups()) {
      list_candidates<Mapping>(lanes, fixed, read(number), rows[number].weights(), rows.operands.k,
                               lists, number);
    }
    return;
  }
  // Small tiles are too little to wait for, so the next one is under way by then.
  auto next = read(lanes.group());
  for (int number = lanes.group(); number < lists.rows; number += lanes.groups()) {
    auto const tile = next;
    if (number + lanes.groups() < lists.rows) next = read(number + lanes.groups());
    list_candidates<Mapping>(lanes, fixed, tile, rows[number].weights(), rows.operands.k, lists,
                             number);
  }
}

template <class Mapping, int Pieces, class Scalar>
__device__ void solve_lists(typename Mapping::Fixed const& fixed, WarpRows<Scalar> const& rows,
                            WarpLists<Scalar> const& lists) {
  Lanes const lanes(kWarpThreads / lists.rows);
  int const number = lanes.group();
  auto const row = rows[number];
  auto const list = lists.of(number);
  // For longer rows, solving the lists is a small part of the work.
  if constexpr (Pieces == 1 && !std::is_same_v<Scalar, double>) {
    if (lanes.threads() == 1 && rows.operands.k <= kMostLargest) {
      write_few_largest<Mapping>(fixed, list, row.weights(), row.support, rows.operands.k);
      return;
    }
  }
  auto const largest = scalar_of<Scalar>(lists.largest[number]);
  Mapping const mapping(widen(largest), fixed);
  auto const weights =
      find_weights(lanes, mapping, list, largest, rows.operands.k, rows.geometry.length);
  list.write(lanes, row.weights(), weights, row.support);
}

template <class Mapping, class Scalar>
__device__ void solve_rows_without_list(Lanes const& lanes, typename Mapping::Fixed const& fixed,
                                        WarpRows<Scalar> const& rows,
                                        WarpLists<Scalar> const& lists) {
  for (int number = lanes.group(); number < lists.rows; number += lanes.groups()) {
    bool const is_listed = lists.counts[number] != lists.kTooMany;
    if (!lanes.any(!is_listed)) continue;
    auto row = rows[number];
    if (is_listed) row.length = 0;
    row.support.exists = !is_listed;
    forward_by_passes<Mapping>(lanes, fixed, row.logits(), row.weights(), row.support,
                               rows.operands.k);
  }
}

}  // namespace detail

template <template <class> class MappingOf, class Scalar, int Pieces>
__global__ void __launch_bounds__(kWarpThreads* kWarpsPerBlock, blocks_of_warps(Pieces))
    forward_lanes_kernel(__grid_constant__ RowGeometry<3> const geometry,
                         ForwardOperands<Scalar> operands, WarpShape shape,
                         typename MappingOf<widened_t<Scalar>>::Fixed fixed) {
  using Mapping = MappingOf<widened_t<Scalar>>;
  ZETA_SHARED_ARRAY(Scalar, entries, kWarpsPerBlock * kCandidatesPerWarp);
  ZETA_SHARED_ARRAY(uint16_t, columns, kWarpsPerBlock* kCandidatesPerWarp);
  ZETA_SHARED_ARRAY(int, counts, kWarpsPerBlock* kWarpThreads);
  ZETA_SHARED_ARRAY(key_t<Scalar>, largest, kWarpsPerBlock * kWarpThreads);
  auto const warp = static_cast<int>(threadIdx.y);
  detail::WarpLists<Scalar> const lists = {
      entries + warp * kCandidatesPerWarp, columns + warp * kCandidatesPerWarp,
      counts + warp * kWarpThreads, largest + warp * kWarpThreads, shape.rows_per_warp};
  int64_t const number_of_warp = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock + warp;
  detail::WarpRows<Scalar> const rows = {geometry, operands, number_of_warp * shape.rows_per_warp};

  Lanes const lanes(shape.lanes_per_row);
  detail::list_rows<Mapping, Pieces>(lanes, fixed, rows, lists);
  __syncwarp();
  detail::solve_lists<Mapping, Pieces>(fixed, rows, lists);
  detail::solve_rows_without_list<Mapping>(lanes, fixed, rows, lists);
}

}  // namespace zeta::rowwise::cuda
