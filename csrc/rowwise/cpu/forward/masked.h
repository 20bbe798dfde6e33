#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "rowwise/cpu/forward/any_strides.h"
#include "rowwise/cpu/forward/compact.h"
#include "rowwise/cpu/forward/contiguous.h"
#include "rowwise/cpu/forward/split_row.h"
#include "rowwise/cpu/forward/with_support.h"
#include "rowwise/cpu/rows/copy_masked.h"
#include "rowwise/cpu/rows/masked_rows.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/float16.h"
#include "rowwise/mask.h"
#include "rowwise/parallel.h"
#include "rowwise/row_geometry.h"

// The forwards of rows of which a mask leaves entries out.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Operands of the geometry: weights, logits, support, mask. The support may be null.
template <template <class> class MappingOf, class Scalar>
void forward_masked(double alpha, RowGeometry<4> const& geometry, Scalar* weights,
                    Scalar const* logits, int32_t* support, MaskEntry const* mask, int64_t k,
                    int64_t first_row, int64_t last_row) {
  bool const streams = support == nullptr && streams_weights<Scalar>(geometry);
  if (geometry.stride[1] != 1 || !geometry.is_dense(0)) {
    auto const forward_rows = [&](int64_t first, int64_t last) {
      forward_from_copies<MappingOf>(alpha, geometry, weights, logits, mask, k, first, last,
                                     streams);
    };
    if (support == nullptr) return forward_rows(first_row, last_row);
    return forward_and_collect(geometry, weights, support, k, first_row, last_row, forward_rows);
  }
  ContiguousForward<MappingOf, Scalar> forward_contiguous(
      fixed_of<MappingOf, Scalar>(alpha, geometry), geometry.length, k, streams);
  MaskedRows rows(geometry, logits, mask, first_row, last_row);
  if (support == nullptr) return forward_contiguous(rows, weights);
  RowsWithSupport with_support(rows, geometry, weights, support, k);
  forward_contiguous(with_support, weights);
}

// Operands of the geometry: values, logits, indices, mask.
template <template <class> class MappingOf, class Scalar>
void forward_compact_masked(double alpha, RowGeometry<4> const& geometry, Scalar* values,
                            Scalar const* logits, int64_t* indices, MaskEntry const* mask,
                            int64_t k, int64_t first_row, int64_t last_row) {
  auto const of_results = with_operands<3>(geometry);
  CompactRows<Scalar> results(of_results, values, indices, std::min(k, geometry.length));
  CompactForward<MappingOf, Scalar> forward_compact(fixed_of<MappingOf, Scalar>(alpha, geometry),
                                                    geometry.length, k, results);
  if (geometry.stride[1] != 1) {
    return compact_from_copies(forward_compact, results, geometry, logits, mask, first_row,
                               last_row);
  }
  MaskedRows rows(geometry, logits, mask, first_row, last_row);
  forward_compact(rows, /*row_zero=*/0);
}

// Maps one long row on several threads, from a copy that they make together.
template <template <class> class MappingOf, class Scalar>
void forward_split_masked(double alpha, Scalar* weights, Scalar const* logits,
                          MaskEntry const* mask, int64_t mask_stride, int64_t length, int64_t k,
                          int64_t parts, Parallel parallel) {
  struct Copy {
    Scalar const* logits;
    MaskEntry const* mask;
    int64_t mask_stride;
    int64_t length;
    int64_t parts;
    Scalar* entries;
    std::unique_ptr<bool[]> leaves_out_all;
  };
  Scratch<Scalar> entries;
  entries.reserve(length);
  Copy copy{logits, mask, mask_stride, length, parts, entries.data(), nullptr};
  copy.leaves_out_all.reset(new bool[parts]);
  parallel(
      parts,
      [](void* context, int64_t part) {
        auto& all = *static_cast<Copy*>(context);
        int64_t const first = begin_of_part(all.length, all.parts, part);
        int64_t const last = begin_of_part(all.length, all.parts, part + 1);
        all.leaves_out_all[part] =
            copy_masked(all.logits + first, all.mask + first * all.mask_stride, all.mask_stride,
                        last - first, all.entries + first);
      },
      &copy);
  bool leaves_out_all = true;
  for (int64_t part = 0; part < parts; ++part) {
    leaves_out_all = leaves_out_all && copy.leaves_out_all[part];
  }
  if (leaves_out_all) return write_zeros(weights, length);
  forward_split<MappingOf>(alpha, weights, static_cast<Scalar const*>(entries.data()), length, k,
                           parts, parallel);
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
