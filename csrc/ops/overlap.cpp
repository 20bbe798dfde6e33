#include "ops/overlap.h"

#include <ATen/MemoryOverlap.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isin.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <tuple>
#include <vector>

namespace zeta::ops {
namespace {

// The first and the last element of its storage that a tensor uses, counted in elements of its
// dtype.
struct Extent {
  int64_t first;
  int64_t last;

  explicit Extent(at::Tensor const& tensor)
      : first(tensor.storage_offset()), last(tensor.storage_offset()) {
    for (int64_t i = 0; i < tensor.dim(); ++i) last += (tensor.size(i) - 1) * tensor.stride(i);
  }
};

// Shared elements are found by a map, which has a byte for each element of an extent, or by lists
// of where the elements are. The smaller of the two is used.
bool is_map_smaller(int64_t extent, int64_t elements) {
  return extent <= static_cast<int64_t>(sizeof(int64_t)) * elements;
}

at::Tensor marked(at::Tensor const& map, at::Tensor const& tensor, int64_t first) {
  return map.as_strided(tensor.sizes(), tensor.strides(), tensor.storage_offset() - first);
}

// Lists where in the storage each element is.
at::Tensor places(at::Tensor const& tensor) {
  at::Tensor result = at::full({}, tensor.storage_offset(), at::kLong);
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    result = result.unsqueeze(-1) + at::arange(tensor.size(i)) * tensor.stride(i);
  }
  return result.flatten();
}

// Whether each stride is larger than what the dimensions of smaller stride span together. Then no
// two elements share memory.
bool is_nested(at::Tensor const& tensor) {
  std::vector<int64_t> order(tensor.dim());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t i, int64_t j) { return tensor.stride(i) < tensor.stride(j); });
  int64_t reach = 0;
  for (int64_t const dimension : order) {
    if (tensor.size(dimension) == 1) continue;
    if (tensor.stride(dimension) <= reach) return false;
    reach += (tensor.size(dimension) - 1) * tensor.stride(dimension);
  }
  return true;
}

}  // namespace

bool overlaps_itself(at::Tensor const& tensor) {
  auto const overlap = at::has_internal_overlap(tensor);
  if (overlap != at::MemOverlap::TooHard) return overlap == at::MemOverlap::Yes;
  if (tensor.numel() == 0 || is_nested(tensor)) return false;
  Extent const extent(tensor);
  int64_t const size = extent.last - extent.first + 1;
  if (is_map_smaller(size, tensor.numel())) {
    at::Tensor const map = at::zeros({size}, at::kBool);
    marked(map, tensor, extent.first).fill_(true);
    return map.sum().item<int64_t>() < tensor.numel();
  }
  at::Tensor const sorted = std::get<0>(places(tensor).sort());
  return (sorted.slice(0, 1) == sorted.slice(0, 0, -1)).any().item<bool>();
}

bool share_elements(at::Tensor const& a, at::Tensor const& b) {
  auto const status = at::get_overlap_status(a, b);
  if (status != at::MemOverlapStatus::TooHard) return status != at::MemOverlapStatus::No;
  if (!a.storage().is_alias_of(b.storage())) return false;
  Extent const in_a(a);
  Extent const in_b(b);
  if (in_a.last < in_b.first || in_b.last < in_a.first) return false;
  int64_t const first = std::min(in_a.first, in_b.first);
  int64_t const size = std::max(in_a.last, in_b.last) - first + 1;
  if (is_map_smaller(size, a.numel() + b.numel())) {
    at::Tensor const map = at::zeros({size}, at::kBool);
    marked(map, a, first).fill_(true);
    return marked(map, b, first).any().item<bool>();
  }
  return at::isin(places(a), places(b)).any().item<bool>();
}

}  // namespace zeta::ops
