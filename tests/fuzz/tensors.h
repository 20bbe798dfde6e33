#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <optional>
#include <vector>

#include "numbers.h"
#include "rowwise/float16.h"

// Tensors of any shape, strides, dtype and kind that a caller could pass, also of each other's
// memory and once more.
namespace zeta::fuzz {

inline at::ScalarType any_dtype(Input& input) {
  constexpr at::ScalarType kUsual[] = {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kInt};
  if (input.ConsumeIntegralInRange(0, 3) != 0) return input.PickValueInArray(kUsual);
  int const last = static_cast<int>(at::ScalarType::NumOptions) - 1;
  return static_cast<at::ScalarType>(input.ConsumeIntegralInRange(0, last));
}

class Tensors {
 public:
  explicit Tensors(Input& input) : input_(input) {}

  // Mostly of the dtype that the argument has to be of, if it has.
  at::Tensor any(std::optional<at::ScalarType> expected = {}) {
    if (!made_.empty() && happens_in(4)) {
      return made_[input_.ConsumeIntegralInRange<size_t>(0, made_.size() - 1)];
    }
    auto const sizes = any_sizes();
    at::Tensor result;
    // Torch has no such tensor of some dtypes, and oneDNN has errors of its own.
    try {
      result = in_memory(sizes, expected && !happens_in(4) ? *expected : dtype());
      if (happens_in(8)) result = of_any_kind(result);
    } catch (std::exception const&) {
      result = in_memory(sizes, at::kFloat);
    }
    if (!result.defined()) return result;
    if (happens_in(4) && (result.is_floating_point() || result.is_complex())) {
      result.requires_grad_();
    }
    keep(result);
    return result;
  }

  // A result that may be an argument of a later call.
  void keep(at::Tensor const& tensor) { made_.push_back(tensor); }

 private:
  static constexpr int64_t kMostEntries = 3000;

  bool happens_in(int times) { return input_.ConsumeIntegralInRange(1, times) == times; }
  int64_t integer(int64_t least, int64_t most) {
    return input_.ConsumeIntegralInRange(least, most);
  }

  // Often that of the tensor before.
  at::ScalarType dtype() {
    return made_.empty() || happens_in(2) ? any_dtype(input_) : made_.back().scalar_type();
  }

  // Often those of the tensor before, but for one of them.
  std::vector<int64_t> any_sizes() {
    std::vector<int64_t> sizes;
    if (!made_.empty() && !happens_in(4)) {
      sizes = made_.back().sizes().vec();
      if (!sizes.empty() && happens_in(2)) {
        sizes[static_cast<size_t>(integer(0, made_.back().dim() - 1))] = integer(0, 9);
      }
      return sizes;
    }
    int64_t entries = 1;
    for (int64_t dimensions = integer(0, 5); dimensions > 0; --dimensions) {
      sizes.push_back(
          integer(0, std::min<int64_t>(9, kMostEntries / std::max<int64_t>(entries, 1))));
      entries *= sizes.back();
    }
    return sizes;
  }

  // In any order of memory, with dimensions that are expanded, sliced or overlap.
  std::vector<int64_t> any_strides(std::vector<int64_t> const& sizes) {
    std::vector<size_t> order(sizes.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    for (size_t i = 1; i < order.size(); ++i) {
      if (happens_in(4)) std::swap(order[i], order[static_cast<size_t>(integer(0, 4)) % i]);
    }
    std::vector<int64_t> strides(sizes.size());
    int64_t natural = 1;
    for (size_t i = order.size(); i-- > 0;) {
      if (happens_in(16)) natural *= 2;
      strides[order[i]] = happens_in(16) ? integer(0, 9) : natural;
      natural *= std::max<int64_t>(sizes[order[i]], 1);
    }
    return strides;
  }

  at::Tensor in_memory(std::vector<int64_t> const& sizes, at::ScalarType dtype) {
    // An empty tensor of these has no quantizer, and torch calls itself without end to clone it.
    TORCH_CHECK(!c10::isQIntType(dtype), "no quantizer");
    auto const strides = any_strides(sizes);
    int64_t const offset = happens_in(4) ? integer(0, 9) : 0;
    int64_t entries = offset + 1;
    for (size_t i = 0; i < sizes.size(); ++i) {
      entries += std::max<int64_t>(sizes[i] - 1, 0) * strides[i];
    }
    at::Tensor result = at::empty({0}, dtype);
    result.set_(memory_of(entries, dtype), offset, sizes, strides);
    return result;
  }

  at::Storage memory_of(int64_t entries, at::ScalarType dtype) {
    if (!made_.empty() && happens_in(4)) {
      at::Tensor const& other = made_.back();
      auto const bytes = static_cast<size_t>(entries) * c10::elementSize(dtype);
      if (other.is_cpu() && other.layout() == at::kStrided && other.scalar_type() == dtype &&
          !other.is_quantized() && !other._is_zerotensor() && other.storage().nbytes() >= bytes) {
        return other.storage();
      }
    }
    at::Tensor const memory = at::empty({entries}, dtype);
    fill(memory);
    return memory.storage();
  }

  void fill(at::Tensor const& memory) {
    if (memory.scalar_type() == at::kFloat) return fill_with<float>(memory);
    if (memory.scalar_type() == at::kDouble) return fill_with<double>(memory);
    if (memory.scalar_type() == at::kHalf) return fill_with<rowwise::Float16>(memory);
    if (memory.scalar_type() == at::kBFloat16) return fill_with<rowwise::BFloat16>(memory);
    auto const bytes = input_.ConsumeBytes<uint8_t>(16);
    auto* const data = static_cast<uint8_t*>(memory.mutable_data_ptr());
    for (size_t i = 0; i < memory.storage().nbytes(); ++i) {
      data[i] = bytes.empty() ? 0 : bytes[i % bytes.size()];
      if (memory.scalar_type() == at::kBool) data[i] &= 1U;
    }
  }

  template <class Scalar>
  void fill_with(at::Tensor const& memory) {
    Numbers<Scalar> const numbers(input_, 16);
    auto* const data = static_cast<Scalar*>(memory.mutable_data_ptr());
    for (int64_t i = 0; i < memory.numel(); ++i) data[i] = numbers(static_cast<size_t>(i));
  }

  at::Tensor of_any_kind(at::Tensor const& tensor) {
    switch (integer(0, 7)) {
      case 0:
        return {};
      case 1:
        return tensor.to_sparse();
      case 2:
        return at::_neg_view(tensor);
      case 3:
        return at::_efficientzerotensor(tensor.sizes(), tensor.options());
      case 4:
        return at::quantize_per_tensor(tensor, 0.1, 0, at::kQInt8);
      case 5:
        return tensor.to_mkldnn();
      case 6:
        return at::_conj(tensor);
      default:
        return at::empty_strided(tensor.sizes(), tensor.strides(),
                                 tensor.options().device(at::kMeta));
    }
  }

  Input& input_;
  std::vector<at::Tensor> made_;
};

}  // namespace zeta::fuzz
