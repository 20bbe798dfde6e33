#pragma once

namespace zeta::ops {

// Whether another copy of this library, or another library, was loaded before and has registered
// the operators. To register them again would end the process, so every registration asks this
// first.
bool is_second_copy();

}  // namespace zeta::ops
