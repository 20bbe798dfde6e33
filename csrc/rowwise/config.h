#pragma once

#include "rowwise/export.h"

// What the engine holds and uses, for those that load it.
namespace zeta::rowwise {

// The architectures that the CUDA kernels were compiled for, by the names of
// torch.cuda.get_arch_list() and between them ", ". Empty without CUDA kernels.
ZETA_ENGINE_API char const* cuda_architectures();

}  // namespace zeta::rowwise

// With a name that a program can look up in the library. Returns lines of a name, a space and a
// value: version, compiler, cuda_version and cuda_architectures (empty without CUDA kernels),
// cpu_capability and huge_pages.
extern "C" ZETA_ENGINE_API char const* zeta_engine_config();

// What is wrong with the variables of the environment when the library was loaded, or an empty
// string.
extern "C" ZETA_ENGINE_API char const* zeta_engine_error();
