# The engine once, and the operators in a folder of their minor version of torch:
#   lib/libzeta_engine.so, lib/torch-2.15/libzeta.so, lib/torch-2.15/operators.json
include(CMakePackageConfigHelpers)

string(REGEX MATCH "^[0-9]+\\.[0-9]+" torch_minor "${Torch_VERSION}")
set(operators_folder lib/torch-${torch_minor})

# Where the libraries look for torch and for the CUDA runtime that torch brings.
set(torch_folder ${TORCH_INSTALL_PREFIX}/lib)
set(cudart_folder "")
if(ZETA_WITH_CUDA)
  cmake_path(GET zeta_cudart PARENT_PATH cudart_folder)
endif()
set(torch_hint ${Torch_DIR})
set(packages_of_engine ${zeta_site_packages})
set(packages_of_operators ${zeta_site_packages})
if(ZETA_INSTALL_BESIDE_TORCH)
  set(packages_of_engine $ORIGIN/../..)
  set(packages_of_operators $ORIGIN/../../..)
  set(torch_hint "")
endif()
string(REPLACE ${zeta_site_packages} ${packages_of_engine} path_of_engine "${cudart_folder}")
string(REPLACE ${zeta_site_packages} ${packages_of_operators} path_of_operators
  "$ORIGIN/..;${torch_folder};${cudart_folder}")
set_target_properties(zeta PROPERTIES INSTALL_RPATH "${path_of_operators}")
install(TARGETS zeta LIBRARY DESTINATION ${operators_folder})
install(FILES ${PROJECT_BINARY_DIR}/operators.json DESTINATION ${operators_folder})
if(NOT ZETA_ENGINE)
  set_target_properties(zeta_engine PROPERTIES INSTALL_RPATH "${path_of_engine}")
  install(TARGETS zeta_engine LIBRARY DESTINATION lib)
endif()
install(DIRECTORY csrc/include/zeta DESTINATION include FILES_MATCHING PATTERN *.h)
install(FILES ${generated}/zeta/version.h DESTINATION include/zeta)

set(config_folder share/cmake/Zeta)
configure_package_config_file(cmake/ZetaConfig.cmake.in ${generated}/ZetaConfig.cmake
  INSTALL_DESTINATION ${config_folder} NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${generated}/ZetaConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${generated}/ZetaConfig.cmake
  ${generated}/ZetaConfigVersion.cmake
  cmake/consumer_target.cmake
  cmake/torch.cmake
  DESTINATION ${config_folder})
