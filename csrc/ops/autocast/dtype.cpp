#include <ATen/autocast_mode.h>

#include "ops/family.h"
#include "ops/member_operator.h"
#include "ops/registration.h"

namespace zeta::ops {

template <class Signature, Signature* Function>
using InFloat32 = at::autocast::WrapFunction<at::autocast::CastPolicy::fp32_set_opt_dtype,
                                             c10::DeviceType::CUDA, Signature, Signature, Function>;

// Under autocast on CUDA the result has the dtype that torch.softmax has there: float32, unless
// dtype= says otherwise. CPU autocast leaves torch.softmax alone, so there is no rule here.
ZETA_LIBRARY_IMPL(AutocastCUDA, library) {
  for_each_member([&]<class Member>() {
    using Calls = MemberCalls<Member>;
    library.impl(Member::kName, &InFloat32<typename Calls::Signature, &Calls::forward>::type::call);
    library.impl(compact_name<Member>().c_str(),
                 &InFloat32<typename Calls::CompactSignature, &Calls::compact>::type::call);
  });
  library.impl(
      family::kOfAlphasName,
      &InFloat32<decltype(family::forward_of_alphas), &family::forward_of_alphas>::type::call);
  library.impl(
      family::kOfAlphasCompactName,
      &InFloat32<decltype(family::compact_of_alphas), &family::compact_of_alphas>::type::call);
}

}  // namespace zeta::ops
