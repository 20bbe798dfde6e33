#include <ATen/autocast_mode.h>

#include "ops/member_operator.h"
#include "ops/registration.h"

namespace zeta::ops {

// Under autocast on CUDA the result has the dtype that torch.softmax has there: float32, unless
// dtype= says otherwise. CPU autocast leaves torch.softmax alone, so there is no rule here.
ZETA_LIBRARY_IMPL(AutocastCUDA, library) {
  using at::autocast::CastPolicy;
  using at::autocast::WrapFunction;
  for_each_member([&]<class Member>() {
    using Calls = MemberCalls<Member>;
    using Signature = typename Calls::Signature;
    library.impl(Member::kName, &WrapFunction<CastPolicy::fp32_set_opt_dtype, c10::DeviceType::CUDA,
                                              Signature, Signature, &Calls::forward>::type::call);
  });
}

}  // namespace zeta::ops
