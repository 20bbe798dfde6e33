#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <string>
#include <tuple>
#include <utility>

#include "ops/members.h"

namespace zeta::ops {

// Looks an operator up in the dispatcher, to call it.
template <class Signature>
c10::TypedOperatorHandle<Signature> find_operator(char const* name, char const* overload = "") {
  std::string const full_name = std::string("zeta::") + name;
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow(full_name.c_str(), overload)
      .template typed<Signature>();
}

// The operator's name without its namespace, for errors.
inline std::string plain_name(c10::OperatorHandle const& op) {
  std::string const& full_name = op.schema().name();
  return full_name.substr(full_name.find("::") + 2);
}

// The values and indices of the compact form.
using Compact = std::tuple<at::Tensor, at::Tensor>;

// The operator of a member, for kernels, which are written once for all members.
struct MemberOperator {
  char const* name;
  at::Tensor (*forward)(at::Tensor const& z, Call const& call);
  at::Tensor& (*forward_out)(at::Tensor const& z, Call const& call, at::Tensor& out);
  Compact (*compact)(at::Tensor const& z, Call const& call);
};

// Calls a member through the dispatcher, and makes its kernels from functions of a Call. The
// arguments are those of Member::call().
template <class Member, class Arguments = decltype(&Member::call)>
class MemberCalls;

template <class Member, class... Arguments>
class MemberCalls<Member, Call (*)(Arguments...)> {
 public:
  using Signature = at::Tensor(at::Tensor const&, Arguments...);
  using OutSignature = at::Tensor&(at::Tensor const&, Arguments..., at::Tensor&);
  using CompactSignature = Compact(at::Tensor const&, Arguments...);

  static at::Tensor forward(at::Tensor const& z, Arguments... arguments) {
    static auto const handle = find_operator<Signature>(Member::kName);
    return handle.call(z, std::move(arguments)...);
  }
  static at::Tensor& forward_out(at::Tensor const& z, Arguments... arguments, at::Tensor& out) {
    static auto const handle = find_operator<OutSignature>(Member::kName, "out");
    return handle.call(z, std::move(arguments)..., out);
  }
  static Compact compact(at::Tensor const& z, Arguments... arguments) {
    static auto const handle = find_operator<CompactSignature>(Member::kName, "compact");
    return handle.call(z, std::move(arguments)...);
  }

  // Kernel is a function of a MemberOperator const&, z and a Call.
  template <auto Kernel>
  static auto kernel(at::Tensor const& z, Arguments... arguments) {
    return Kernel(kOperator, z, Member::call(std::move(arguments)...));
  }
  // Kernel is a function of a MemberOperator const&, z, a Call and `out`.
  template <auto Kernel>
  static at::Tensor& out_kernel(at::Tensor const& z, Arguments... arguments, at::Tensor& out) {
    return Kernel(kOperator, z, Member::call(std::move(arguments)...), out);
  }

 private:
  static at::Tensor call_forward(at::Tensor const& z, Call const& call) {
    return std::apply([&](auto const&... arguments) { return forward(z, arguments...); },
                      Member::arguments(call));
  }
  static at::Tensor& call_forward_out(at::Tensor const& z, Call const& call, at::Tensor& out) {
    return std::apply(
        [&](auto const&... arguments) -> at::Tensor& { return forward_out(z, arguments..., out); },
        Member::arguments(call));
  }
  static Compact call_compact(at::Tensor const& z, Call const& call) {
    return std::apply([&](auto const&... arguments) { return compact(z, arguments...); },
                      Member::arguments(call));
  }

  static constexpr MemberOperator kOperator = {Member::kName, &call_forward, &call_forward_out,
                                               &call_compact};
};

template <class Member>
std::string out_name() {
  return std::string(Member::kName) + ".out";
}
template <class Member>
std::string compact_name() {
  return std::string(Member::kName) + ".compact";
}

}  // namespace zeta::ops
