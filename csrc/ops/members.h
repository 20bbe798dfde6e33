#pragma once

#include <ATen/core/ScalarType.h>
#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

// The public operators of the family. All registrations, of schemas and for each dispatch key, go
// over the list `Members`: a new member is a struct, and a name in that list.
namespace zeta::ops {

// What a member's arguments mean: the parameters of the family, the rows, which of their entries
// take part, and the result's dtype.
struct Call {
  double alpha;
  c10::SymInt k;
  int64_t dim;
  at::Tensor mask;  // undefined if all take part
  std::optional<at::ScalarType> dtype;
};

// A tensor that a schema calls optional, as one that may be undefined, and back.
inline at::Tensor tensor_of(std::optional<at::Tensor> const& tensor) {
  return tensor.value_or(at::Tensor());
}
inline std::optional<at::Tensor> optional_of(at::Tensor const& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

// As k: any number of entries of a row may be non-zero.
inline constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

namespace members {

// A member has the name of its operator, the arguments between z and mask, and ways from its
// arguments to a Call and back. In graphs, gradients have the class name of the first member that
// takes their alpha, whichever operator was called.
template <int Alpha>
struct OfOneAlpha {
  static constexpr char const* kArguments = "SymInt k=3, int dim=-1";

  static bool takes(double alpha) { return alpha == Alpha; }
  static Call call(c10::SymInt k, int64_t dim, std::optional<at::Tensor> const& mask,
                   std::optional<at::ScalarType> dtype) {
    return {Alpha, std::move(k), dim, tensor_of(mask), dtype};
  }
  static std::tuple<c10::SymInt, int64_t, std::optional<at::Tensor>, std::optional<at::ScalarType>>
  arguments(Call const& call) {
    return {call.k, call.dim, optional_of(call.mask), call.dtype};
  }
};

struct SparseSoftmax : OfOneAlpha<2> {
  static constexpr char const* kName = "sparse_softmax";
  static constexpr char const* kClassName = "SparseSoftmax";
};

struct TopKSoftmax : OfOneAlpha<1> {
  static constexpr char const* kName = "topk_softmax";
  static constexpr char const* kClassName = "TopKSoftmax";
};

struct Entmax {
  static constexpr char const* kName = "entmax";
  static constexpr char const* kClassName = "Entmax";
  static constexpr char const* kArguments = "float alpha=1.5, SymInt? k=None, int dim=-1";

  static bool takes(double /*alpha*/) { return true; }
  static Call call(double alpha, std::optional<c10::SymInt> k, int64_t dim,
                   std::optional<at::Tensor> const& mask, std::optional<at::ScalarType> dtype) {
    return {alpha, k.has_value() ? *std::move(k) : c10::SymInt(kNoLimit), dim, tensor_of(mask),
            dtype};
  }
  static std::tuple<double, std::optional<c10::SymInt>, int64_t, std::optional<at::Tensor>,
                    std::optional<at::ScalarType>>
  arguments(Call const& call) {
    auto const is_unlimited = call.k.maybe_as_int() == kNoLimit;
    return {call.alpha, is_unlimited ? std::nullopt : std::optional(call.k), call.dim,
            optional_of(call.mask), call.dtype};
  }
};

}  // namespace members

template <class... Types>
struct TypeList {};

using Members = TypeList<members::SparseSoftmax, members::TopKSoftmax, members::Entmax>;

// Calls visit.operator()<Member>() for each member.
template <class Visit>
void for_each_member(Visit const& visit) {
  [&]<class... Member>(TypeList<Member...>) {
    (visit.template operator()<Member>(), ...);
  }(Members{});
}

// The name in graphs of what has this alpha.
inline std::string class_name(double alpha) {
  std::string name;
  for_each_member([&]<class Member>() {
    if (name.empty() && Member::takes(alpha)) name = Member::kClassName;
  });
  return name;
}

}  // namespace zeta::ops
