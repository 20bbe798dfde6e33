#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>

#include "rowwise/cpu/forward/row.h"
#include "rowwise/parallel.h"

// Maps one long row on several threads. Each thread finds the candidates of its part, and their
// union holds the support of the row (Dai and Chen, "Sparsity-exploiting distributed projections
// onto a simplex", 2022).
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// The first entry of a part of a row, and with part + 1 the end of it.
inline int64_t begin_of_part(int64_t length, int64_t parts, int64_t part) {
  return part == parts ? length : length / parts * part;
}

template <template <class> class MappingOf, class Scalar>
void forward_split(double alpha, Scalar* weights, Scalar const* logits, int64_t length, int64_t k,
                   int64_t parts, Parallel parallel) {
  using Row = RowForward<MappingOf, Scalar>;
  struct Split {
    double alpha;
    Scalar* weights;
    Scalar const* logits;
    int64_t length;
    int64_t k;
    int64_t parts;
    std::unique_ptr<std::unique_ptr<Row>[]> rows;
  };
  Split split{alpha, weights, logits, length, k, parts, nullptr};
  split.rows.reset(new std::unique_ptr<Row>[parts]);
  parallel(
      parts,
      [](void* context, int64_t part) {
        auto& all = *static_cast<Split*>(context);
        int64_t const first = begin_of_part(all.length, all.parts, part);
        int64_t const last = begin_of_part(all.length, all.parts, part + 1);
        all.rows[part].reset(new Row(Row::Mapping::fixed(all.length, all.alpha), all.length, all.k,
                                     /*streams=*/false));
        all.rows[part]->scan_part(all.logits, all.weights, first, last);
      },
      &split);
  for (int64_t part = 1; part < parts; ++part) split.rows[0]->add_part(*split.rows[part]);
  split.rows[0]->write_parts(logits, weights);
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
