#pragma once

#include <string>

namespace zeta::ops {

// Returns the error of an operator on a GPU for whose compute capability the build has no kernels.
inline std::string missing_kernels_text(char const* name, char const* device, int major, int minor,
                                        char const* architectures) {
  std::string const capability = std::to_string(major) + "." + std::to_string(minor);
  std::string const found = std::string(name) + ": expected a GPU that this build of zeta has " +
                            "kernels for (" + architectures + "), but got " + device +
                            " of compute capability " + capability;
  bool const is_too_old = major < 7 || (major == 7 && minor < 5);
  if (is_too_old) return found + "; zeta needs 7.5 or newer: move the tensors to the CPU.";
  return found + "; install zeta from its source for it, with CMAKE_ARGS=" +
         "-DCMAKE_CUDA_ARCHITECTURES=" + std::to_string(major) + std::to_string(minor) + ".";
}

}  // namespace zeta::ops
