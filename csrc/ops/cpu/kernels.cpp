#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "ops/cpu/parallel.h"
#include "ops/driver.h"
#include "ops/register_kernels.h"
#include "rowwise/cpu/entmax.h"
#include "rowwise/cpu/largest.h"
#include "rowwise/mask.h"

namespace zeta::ops {
namespace {

namespace engine = rowwise::cpu;
using rowwise::MaskEntry;
using rowwise::RowGeometry;

// How many parts each row is split into: several if there are fewer rows than threads.
// Operands 0 and 1 are the weights and the logits.
template <int Operands>
int64_t parts_of_row(RowGeometry<Operands> const& geometry) {
  int64_t const threads = at::get_num_threads();
  bool const is_contiguous = geometry.stride[0] == 1 && geometry.stride[1] == 1;
  bool const is_whole = geometry.full_length == geometry.length;
  if (geometry.rows >= threads || !is_contiguous || !is_whole) return 1;
  return std::min(threads, geometry.length / kEntriesPerTask);
}

// See rowwise/parallel.h.
struct InParallel {
  char const* name;

  template <class Task>
  void operator()(int64_t count, Task* task, void* context) const {
    for_each_range(name, count, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) task(context, i);
    });
  }
};

struct CpuLaunches {
  template <class Scalar>
  static void forward(char const* name, double alpha, RowGeometry<2> const& geometry,
                      Scalar* weights, Scalar const* logits, int64_t k) {
    int64_t const parts = parts_of_row(geometry);
    if (parts > 1) return forward_split(name, alpha, geometry, weights, logits, k, parts);
    for_each_row_range(name, geometry, [&](int64_t first, int64_t last) {
      engine::entmax(alpha, geometry, weights, logits, k, first, last);
    });
  }

  template <class Scalar>
  static void forward_split(char const* name, double alpha, RowGeometry<2> const& geometry,
                            Scalar* weights, Scalar const* logits, int64_t k, int64_t parts) {
    for (int64_t row = 0; row < geometry.rows; ++row) {
      int64_t offsets[2];
      geometry.offsets(row, offsets);
      engine::entmax_split(alpha, weights + offsets[0], logits + offsets[1], geometry.length, k,
                           parts, InParallel{name});
    }
  }

  // The support may be null.
  template <class Scalar>
  static void forward_masked(char const* name, double alpha, RowGeometry<4> const& geometry,
                             Scalar* weights, Scalar const* logits, int32_t* support,
                             MaskEntry const* mask, int64_t k) {
    int64_t const parts = support == nullptr ? parts_of_row(geometry) : 1;
    if (parts > 1) {
      return forward_split_masked(name, alpha, geometry, weights, logits, mask, k, parts);
    }
    for_each_row_range(name, geometry, [&](int64_t first, int64_t last) {
      engine::entmax_masked(alpha, geometry, weights, logits, support, mask, k, first, last);
    });
  }

  template <class Scalar>
  static void forward_split_masked(char const* name, double alpha, RowGeometry<4> const& geometry,
                                   Scalar* weights, Scalar const* logits, MaskEntry const* mask,
                                   int64_t k, int64_t parts) {
    for (int64_t row = 0; row < geometry.rows; ++row) {
      int64_t offsets[4];
      geometry.offsets(row, offsets);
      engine::entmax_split_masked(alpha, weights + offsets[0], logits + offsets[1],
                                  mask + offsets[3], geometry.stride[3], geometry.length, k, parts,
                                  InParallel{name});
    }
  }

  template <class Scalar>
  static void compact_masked(char const* name, double alpha, RowGeometry<4> const& geometry,
                             Scalar* values, Scalar const* logits, int64_t* indices,
                             MaskEntry const* mask, int64_t k) {
    for_each_row_range(name, geometry, [&](int64_t first, int64_t last) {
      engine::entmax_compact_masked(alpha, geometry, values, logits, indices, mask, k, first, last);
    });
  }

  template <class Scalar>
  static void forward_with_support(char const* name, double alpha, RowGeometry<3> const& geometry,
                                   Scalar* weights, Scalar const* logits, int32_t* support,
                                   int64_t k) {
    for_each_row_range(name, geometry, [&](int64_t first, int64_t last) {
      engine::entmax_with_support(alpha, geometry, weights, logits, support, k, first, last);
    });
  }

  // Calls function(alpha, first, last) for rows that follow each other and have one alpha. The
  // geometry has the alphas as this operand.
  template <int OfAlphas, int Operands, class Function>
  static void for_each_alpha(char const* name, RowGeometry<Operands> const& geometry,
                             double const* alphas, Function const& function) {
    auto const alpha_of = [&](int64_t row) {
      int64_t offsets[Operands];
      geometry.offsets(row, offsets);
      return alphas[offsets[OfAlphas]];
    };
    for_each_row_range(name, geometry, [&](int64_t first, int64_t last) {
      while (first < last) {
        double const alpha = alpha_of(first);
        check_alpha(name, alpha);
        int64_t end = first + 1;
        while (end < last && alpha_of(end) == alpha) ++end;
        function(alpha, first, end);
        first = end;
      }
    });
  }

  // The mask may be null.
  template <class Scalar>
  static void forward_of_alphas(char const* name, RowGeometry<4> const& geometry, Scalar* weights,
                                Scalar const* logits, double const* alphas, MaskEntry const* mask,
                                int64_t k) {
    auto const rows = rowwise::with_operands<2>(geometry);
    for_each_alpha<2>(name, geometry, alphas, [&](double alpha, int64_t first, int64_t last) {
      if (mask == nullptr) return engine::entmax(alpha, rows, weights, logits, k, first, last);
      engine::entmax_masked(alpha, geometry, weights, logits, /*support=*/nullptr, mask, k, first,
                            last);
    });
  }

  template <class Scalar>
  static void compact_of_alphas(char const* name, RowGeometry<5> const& geometry, Scalar* values,
                                Scalar const* logits, int64_t* indices, MaskEntry const* mask,
                                double const* alphas, int64_t k) {
    auto const rows = rowwise::with_operands<3>(geometry);
    auto const masked = rowwise::with_operands<4>(geometry);
    for_each_alpha<4>(name, geometry, alphas, [&](double alpha, int64_t first, int64_t last) {
      if (mask == nullptr) {
        return engine::entmax_compact(alpha, rows, values, logits, indices, k, first, last);
      }
      engine::entmax_compact_masked(alpha, masked, values, logits, indices, mask, k, first, last);
    });
  }

  template <class Scalar>
  static void compact(char const* name, double alpha, RowGeometry<3> const& geometry,
                      Scalar* values, Scalar const* logits, int64_t* indices, int64_t k) {
    for_each_row_range(name, geometry, [&](int64_t first, int64_t last) {
      engine::entmax_compact(alpha, geometry, values, logits, indices, k, first, last);
    });
  }

  template <class Scalar>
  static void backward(char const* name, double alpha, RowGeometry<3> const& geometry,
                       Scalar* grad_logits, Scalar const* grad_weights, Scalar const* weights) {
    for_each_row_range(name, geometry, [&](int64_t first, int64_t last) {
      engine::entmax_backward(alpha, geometry, grad_logits, grad_weights, weights, first, last);
    });
  }

  // The operands before the support are gradients and, where slopes vary, weights.
  template <class Scalar, int Operands, class... Operand>
  static void support_backward(char const* name, double alpha,
                               RowGeometry<Operands> const& geometry, Scalar* grad_logits,
                               Operand... operands) {
    if (geometry.stride[0] != 1) {
      for_each_range(name, geometry.rows * geometry.length, kEntriesPerTask,
                     [&](int64_t first, int64_t last) {
                       std::memset(static_cast<void*>(grad_logits + first), 0,
                                   (last - first) * sizeof(Scalar));
                     });
    }
    for_each_row_range(name, geometry, [&](int64_t first, int64_t last) {
      engine::entmax_support_backward(alpha, geometry, grad_logits, operands..., first, last);
    });
  }

  template <class Scalar>
  static void largest(char const* name, RowGeometry<2> const& geometry, int64_t* indices,
                      Scalar const* entries, int64_t count) {
    for_each_row_range(name, geometry, [&](int64_t first, int64_t last) {
      engine::largest(geometry, indices, entries, count, first, last);
    });
  }

  template <class Scalar>
  static void largest_masked(char const* name, RowGeometry<3> const& geometry, int64_t* indices,
                             Scalar const* entries, MaskEntry const* mask, int64_t count) {
    for_each_row_range(name, geometry, [&](int64_t first, int64_t last) {
      engine::largest_masked(geometry, indices, entries, mask, count, first, last);
    });
  }
};

}  // namespace

ZETA_LIBRARY_IMPL(CPU, library) { register_kernels<DeviceKernels<CpuLaunches>>(library); }

}  // namespace zeta::ops
