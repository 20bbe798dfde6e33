#pragma once

#include <ATen/core/ScalarType.h>
#include <c10/core/SymInt.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

// The public operators of the family. All registrations, of schemas and for each dispatch key, go
// over the list `Members`: a new member is a struct, and a name in that list.
namespace zeta::ops {

// What a member's arguments mean: the parameters of the family, the rows, and the result's dtype.
struct Call {
  double alpha;
  c10::SymInt k;
  int64_t dim;
  std::optional<at::ScalarType> dtype;
};

namespace members {

// A member has the name of its operator and that of its class in graphs, the arguments between z
// and dtype, and ways from its arguments to a Call and back.
struct SparseSoftmax {
  static constexpr char const* kName = "sparse_softmax";
  static constexpr char const* kClassName = "SparseSoftmax";
  static constexpr char const* kArguments = "SymInt k=3, int dim=-1";
  static constexpr double kAlpha = 2;

  static Call call(c10::SymInt k, int64_t dim, std::optional<at::ScalarType> dtype) {
    return {kAlpha, std::move(k), dim, dtype};
  }
  static std::tuple<c10::SymInt, int64_t, std::optional<at::ScalarType>> arguments(
      Call const& call) {
    return {call.k, call.dim, call.dtype};
  }
};

}  // namespace members

template <class... Types>
struct TypeList {};

using Members = TypeList<members::SparseSoftmax>;

// Calls visit.operator()<Member>() for each member.
template <class Visit>
void for_each_member(Visit const& visit) {
  [&]<class... Member>(TypeList<Member...>) {
    (visit.template operator()<Member>(), ...);
  }(Members{});
}

// The name in graphs of the member with this alpha.
inline std::string class_name(double alpha) {
  std::string name = "Entmax";
  for_each_member([&]<class Member>() {
    if (Member::kAlpha == alpha) name = Member::kClassName;
  });
  return name;
}

}  // namespace zeta::ops
