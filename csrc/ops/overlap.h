#pragma once

#include <ATen/core/Tensor.h>

// Exact answers where at::has_internal_overlap() and at::get_overlap_status() have none. They take
// time and memory in proportion to the elements, whatever the strides are.
namespace zeta::ops {

// Whether two elements of a tensor are one in memory.
bool overlaps_itself(at::Tensor const& tensor);

// Whether an element of one tensor is one of the other, for two of the same dtype.
bool share_elements(at::Tensor const& a, at::Tensor const& b);

}  // namespace zeta::ops
