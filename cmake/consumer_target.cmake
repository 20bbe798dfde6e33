# Adds zeta::zeta, the target to link with. A program that calls the operators by name needs no
# symbol of libzeta, so a linker that drops libraries that are not needed would drop it.
# ZETA_TARGET_SCOPE is GLOBAL if projects around this one are to see the target.
add_library(zeta::zeta INTERFACE IMPORTED ${ZETA_TARGET_SCOPE})
target_link_libraries(zeta::zeta INTERFACE
  "-Wl,--push-state,--no-as-needed,\"$<TARGET_FILE:zeta::library>\",--pop-state"
  zeta::library
  torch)
# libtorch_cuda needs nccl, and the linker does not look where pip puts it.
cmake_path(GET TORCH_INSTALL_PREFIX PARENT_PATH zeta_site_packages)
target_link_options(zeta::zeta INTERFACE
  LINKER:-rpath-link,${zeta_site_packages}/nvidia/nccl/lib)
