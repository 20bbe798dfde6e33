# Finds Torch without its search for a CUDA toolkit, which fails where there is none and probes the
# GPU where there is one. Torch skips that search once the target torch::cudart exists.
# ZETA_TORCH_HINTS lists folders to look in after CMAKE_PREFIX_PATH. ZETA_TARGET_SCOPE is GLOBAL if
# projects around this one are to see the targets.
if(NOT TARGET torch)
  # A cache that served another torch still points to it.
  foreach(stale Caffe2_DIR TORCH_LIBRARY c10_LIBRARY C10_CUDA_LIBRARY)
    unset(${stale} CACHE)
  endforeach()
  set(kineto_LIBRARY torch_cpu)  # It is part of torch_cpu; Torch would warn that it is not found.

  if(NOT TARGET torch::cudart)
    add_library(torch::cudart INTERFACE IMPORTED ${ZETA_TARGET_SCOPE})
    set(zeta_declared_cudart ON)
  endif()
  find_package(Torch 2.11 QUIET ${ZETA_TARGET_SCOPE} HINTS ${ZETA_TORCH_HINTS})

  if(Torch_FOUND)
    cmake_path(GET TORCH_INSTALL_PREFIX PARENT_PATH zeta_site_packages)
  endif()
  if(Torch_FOUND AND zeta_declared_cudart AND TARGET c10_cuda)
    file(GLOB zeta_cudart
      ${zeta_site_packages}/nvidia/cu[0-9]*/lib/libcudart.so.*
      ${zeta_site_packages}/nvidia/cuda_runtime/lib/libcudart.so.*
      ${TORCH_INSTALL_PREFIX}/lib/libcudart*.so.*)
    if(NOT zeta_cudart)
      find_library(zeta_cudart cudart NO_CACHE
        HINTS ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES lib64 lib)
    endif()
    list(GET zeta_cudart 0 zeta_cudart)
    set_property(TARGET torch::cudart PROPERTY INTERFACE_LINK_LIBRARIES ${zeta_cudart})
  endif()
  if(TARGET caffe2::mkl)
    # This names folders such as /lib/intel64, which would end up in every RPATH.
    set_property(TARGET caffe2::mkl PROPERTY INTERFACE_LINK_DIRECTORIES)
  endif()
endif()
