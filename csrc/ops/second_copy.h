#pragma once

namespace zeta::ops {

// Whether another library, which may be another copy of this one, has already registered the
// operators. To register them again would end the process, so every registration asks this first.
bool is_second_copy();

}  // namespace zeta::ops
