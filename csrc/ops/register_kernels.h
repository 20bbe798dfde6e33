#pragma once

#include "ops/family.h"
#include "ops/member_operator.h"
#include "ops/registration.h"

namespace zeta::ops {

// Registers the kernels of all operators for one dispatch key. `Kernels` has a function for each
// internal operator, and three that serve all members.
template <class Kernels>
void register_kernels(torch::Library& library) {
  for_each_member([&]<class Member>() {
    using Calls = MemberCalls<Member>;
    library.impl(Member::kName, &Calls::template kernel<&Kernels::forward>);
    library.impl(out_name<Member>().c_str(), &Calls::template out_kernel<&Kernels::forward_out>);
    library.impl(compact_name<Member>().c_str(), &Calls::template kernel<&Kernels::compact>);
  });
  library.impl(family::kOfAlphasName, &Kernels::forward_of_alphas);
  library.impl(family::kOfAlphasOutName, &Kernels::forward_of_alphas_out);
  library.impl(family::kOfAlphasCompactName, &Kernels::compact_of_alphas);
  library.impl(family::kCandidatesOfAlphasName, &Kernels::candidates_of_alphas);
  library.impl(family::kBackwardName, &Kernels::backward);
  library.impl(family::kWithSupportName, &Kernels::forward_with_support);
  library.impl(family::kSupportBackwardName, &Kernels::support_backward);
  library.impl(family::kOfCandidatesName, &Kernels::of_candidates);
  library.impl(family::kLargestName, &Kernels::largest);
}

}  // namespace zeta::ops
