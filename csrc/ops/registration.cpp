#include "ops/registration.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/util/Exception.h>
#include <dlfcn.h>

namespace zeta::ops {
namespace {

bool find_other_copy() {
  auto& dispatcher = c10::Dispatcher::singleton();
  auto const other = dispatcher.findSchema({"zeta::sparse_softmax", ""});
  if (!other.has_value()) return false;
  Dl_info here = {};
  dladdr(reinterpret_cast<void const*>(&find_other_copy), &here);
  if (dispatcher.findSchema({"zeta::_entmax_backward", ""}).has_value()) {
    TORCH_WARN("zeta: expected one copy of libzeta.so in a process, but ", here.dli_fname,
               " was loaded after another, which goes on to serve the operators");
  } else {
    TORCH_WARN("zeta: expected ", here.dli_fname,
               " to register zeta::sparse_softmax, but another library has, as ", other->schema(),
               ", ", other->debug());
  }
  return true;
}

}  // namespace

bool is_second_copy() {
  static bool const result = find_other_copy();
  return result;
}

}  // namespace zeta::ops
