#pragma once

#include <torch/library.h>

namespace zeta::ops {

// Whether another library, which may be another copy of this one, has already registered the
// operators. To register them again would end the process.
bool is_second_copy();

}  // namespace zeta::ops

// These two do what TORCH_LIBRARY_FRAGMENT and TORCH_LIBRARY_IMPL do, for the operators of zeta,
// but in a second copy they register nothing. A function body follows, which gets a
// torch::Library& of this name. A file may use each once for each dispatch key.
#define ZETA_LIBRARY_FRAGMENT(library)                \
  static void zeta_register_schemas(torch::Library&); \
  TORCH_LIBRARY_FRAGMENT(zeta, library) {             \
    if (!zeta::ops::is_second_copy()) {               \
      zeta_register_schemas(library);                 \
    }                                                 \
  }                                                   \
  static void zeta_register_schemas(torch::Library& library)

#define ZETA_LIBRARY_IMPL(key, library)             \
  static void zeta_register_##key(torch::Library&); \
  TORCH_LIBRARY_IMPL(zeta, key, library) {          \
    if (!zeta::ops::is_second_copy()) {             \
      zeta_register_##key(library);                 \
    }                                               \
  }                                                 \
  static void zeta_register_##key(torch::Library& library)
