#pragma once

// Stands in for the CUDA toolkit's header of this name, so that a host compiler can compile kernels
// and run them on the CPU. It comes before any kernel, as nvcc includes its own before all else.
#include "simt/atomic_functions.h"
#include "simt/block_functions.h"
#include "simt/launch.h"
#include "simt/qualifiers.h"
#include "simt/scalar_functions.h"
#include "simt/thread_index.h"
#include "simt/types.h"
#include "simt/warp_functions.h"
