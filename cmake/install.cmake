include(CMakePackageConfigHelpers)

# Where libzeta.so looks for torch and for the CUDA runtime that torch brings.
set(torch_folders ${TORCH_INSTALL_PREFIX}/lib)
if(ZETA_WITH_CUDA)
  cmake_path(GET zeta_cudart PARENT_PATH cudart_folder)
  list(APPEND torch_folders ${cudart_folder})
endif()
set(torch_hint ${Torch_DIR})
if(ZETA_INSTALL_BESIDE_TORCH)
  string(REPLACE ${zeta_site_packages} $ORIGIN/../.. torch_folders "${torch_folders}")
  set(torch_hint "")
endif()
set_target_properties(zeta PROPERTIES INSTALL_RPATH "${torch_folders}")

install(TARGETS zeta EXPORT ZetaTargets LIBRARY DESTINATION lib)
install(DIRECTORY csrc/include/zeta DESTINATION include FILES_MATCHING PATTERN *.h)
install(FILES ${generated}/zeta/version.h DESTINATION include/zeta)

set(config_folder share/cmake/Zeta)
configure_package_config_file(cmake/ZetaConfig.cmake.in ${generated}/ZetaConfig.cmake
  INSTALL_DESTINATION ${config_folder} NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${generated}/ZetaConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT ZetaTargets NAMESPACE zeta:: DESTINATION ${config_folder})
install(FILES
  ${generated}/ZetaConfig.cmake
  ${generated}/ZetaConfigVersion.cmake
  cmake/consumer_target.cmake
  cmake/torch.cmake
  DESTINATION ${config_folder})
