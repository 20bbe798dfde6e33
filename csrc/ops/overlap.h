#pragma once

#include <ATen/core/Tensor.h>

// Exact answers where at::has_internal_overlap() and at::get_overlap_status() have none. The memory
// that they take depends on the number of elements, not on the strides.
namespace zeta::ops {

// Whether two elements of a tensor share memory.
bool overlaps_itself(at::Tensor const& tensor);

// Whether two tensors of the same dtype share an element in memory.
bool share_elements(at::Tensor const& a, at::Tensor const& b);

}  // namespace zeta::ops
