# Decides whether the CUDA kernels are compiled, with which nvcc and for which architectures.
# Reads ZETA_CUDA and TORCH_INSTALL_PREFIX. Sets ZETA_WITH_CUDA, ZETA_TORCH_CUDA (the version that
# torch was built with), ZETA_TORCH_CUDA_MAJOR, CMAKE_CUDA_ARCHITECTURES and
# ZETA_CUDA_ARCHITECTURE_NAMES, and enables the language CUDA.
include(CheckLanguage)

# Reads the version of CUDA from version.py in a wheel of torch, or from build-version in a libtorch
# archive.
function(zeta_torch_cuda_version result)
  set(version "")
  if(EXISTS ${TORCH_INSTALL_PREFIX}/version.py)
    file(STRINGS ${TORCH_INSTALL_PREFIX}/version.py line REGEX "^cuda.*= *'")
    string(REGEX MATCH "[0-9]+\\.[0-9]+" version "${line}")
  elseif(EXISTS ${TORCH_INSTALL_PREFIX}/build-version)
    file(STRINGS ${TORCH_INSTALL_PREFIX}/build-version line)
    if(line MATCHES "\\+cu([0-9]+)([0-9])$")
      set(version ${CMAKE_MATCH_1}.${CMAKE_MATCH_2})
    endif()
  endif()
  set(${result} "${version}" PARENT_SCOPE)
endfunction()

# Sets `nvcc` to the first compiler whose major version is torch's, or `reason` to why there is none.
function(zeta_find_nvcc nvcc reason)
  if(CMAKE_CUDA_COMPILER)
    set(candidates ${CMAKE_CUDA_COMPILER})
    set(places "CMAKE_CUDA_COMPILER, which an earlier run in this build folder may have set")
  elseif(DEFINED ENV{CUDACXX})
    set(candidates $ENV{CUDACXX})
    set(places "CUDACXX")
  else()
    file(GLOB candidates ${zeta_site_packages}/nvidia/cu[0-9]*/bin/nvcc)
    find_program(on_path nvcc NO_CACHE)
    list(APPEND candidates $ENV{CUDA_HOME}/bin/nvcc ${on_path} /usr/local/cuda/bin/nvcc)
    set(places "beside torch, CUDA_HOME, PATH, /usr/local/cuda")
  endif()

  set(rejected "")
  foreach(candidate IN LISTS candidates)
    set(output "")
    execute_process(COMMAND ${candidate} --version OUTPUT_VARIABLE output ERROR_QUIET)
    if(output MATCHES "release ([0-9]+)\\.[0-9]+")
      if(CMAKE_MATCH_1 EQUAL ZETA_TORCH_CUDA_MAJOR)
        set(${nvcc} ${candidate} PARENT_SCOPE)
        return()
      endif()
      string(APPEND rejected "; ${candidate} is of CUDA ${CMAKE_MATCH_1}")
    elseif(EXISTS ${candidate})
      string(APPEND rejected "; ${candidate} does not run")
    endif()
  endforeach()
  set(${nvcc} "" PARENT_SCOPE)
  set(${reason} "no nvcc of CUDA ${ZETA_TORCH_CUDA_MAJOR}, torch's, was found (looked in: \
${places}${rejected})" PARENT_SCOPE)
endfunction()

# Returns the architectures that torch itself was built for, and PTX of the newest for later ones.
function(zeta_torch_architectures result)
  find_package(Python COMPONENTS Interpreter QUIET)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -I -c
      "import sys; sys.path.insert(0, sys.argv[1]); import torch; \
print(torch._C._cuda_getArchFlags())" ${zeta_site_packages}
    OUTPUT_VARIABLE flags ERROR_QUIET)
  string(REGEX MATCHALL "[0-9]+[a-z]?" architectures "${flags}")
  if(NOT architectures)
    message(FATAL_ERROR "zeta: torch in ${TORCH_INSTALL_PREFIX} could not be asked for its CUDA "
      "architectures. Name them: -DCMAKE_CUDA_ARCHITECTURES=\"80-real;90\".")
  endif()
  list(POP_BACK architectures newest)
  list(TRANSFORM architectures APPEND -real)
  set(${result} ${architectures} ${newest} PARENT_SCOPE)
endfunction()

zeta_torch_cuda_version(ZETA_TORCH_CUDA)
string(REGEX MATCH "^[0-9]+" ZETA_TORCH_CUDA_MAJOR "${ZETA_TORCH_CUDA}")

set(nvcc "")
if(NOT ZETA_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "zeta: expected ZETA_CUDA to be AUTO, ON or OFF, but got \"${ZETA_CUDA}\".")
elseif(ZETA_CUDA STREQUAL "OFF")
  set(reason "ZETA_CUDA=OFF")
elseif(NOT ZETA_TORCH_CUDA OR NOT TARGET torch_cuda)
  set(reason "torch ${Torch_VERSION} in ${TORCH_INSTALL_PREFIX} was built without CUDA")
else()
  zeta_find_nvcc(nvcc reason)
endif()

if(nvcc AND NOT CMAKE_CUDA_COMPILER)
  # The nvcc of the Python package looks for its libraries in a folder that the package lacks.
  cmake_path(GET nvcc PARENT_PATH nvcc_folder)
  set(library_path "$ENV{LIBRARY_PATH}")
  set(ENV{LIBRARY_PATH} "${nvcc_folder}/../lib:${library_path}")
  set(ENV{CUDACXX} ${nvcc})
  unset(CMAKE_CUDA_COMPILER CACHE)  # where an earlier failure would be remembered
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    set(reason "${nvcc} cannot compile a program (its error is in ${CMAKE_BINARY_DIR}/CMakeFiles/CheckCUDA/CMakeFiles/CMakeConfigureLog.yaml)")
    set(nvcc "")
  endif()
endif()

if(nvcc)
  if(NOT CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
    # CMake's own variable is not cached, since projects around this one would get it, too.
    if(NOT ZETA_TORCH_ARCHITECTURES)
      zeta_torch_architectures(architectures)
      set(ZETA_TORCH_ARCHITECTURES "${architectures}" CACHE INTERNAL "As CMAKE_CUDA_ARCHITECTURES")
    endif()
    set(CMAKE_CUDA_ARCHITECTURES "${ZETA_TORCH_ARCHITECTURES}")
  endif()
  # The names are those of torch.cuda.get_arch_list(): sm_90 is machine code, compute_90 PTX.
  set(ZETA_CUDA_ARCHITECTURE_NAMES "")
  foreach(architecture IN LISTS CMAKE_CUDA_ARCHITECTURES)
    if(architecture MATCHES "^([0-9]+[a-z]?)(-real|-virtual)?$")
      if(NOT CMAKE_MATCH_2 STREQUAL "-virtual")
        list(APPEND ZETA_CUDA_ARCHITECTURE_NAMES sm_${CMAKE_MATCH_1})
      endif()
      if(NOT CMAKE_MATCH_2 STREQUAL "-real")
        list(APPEND ZETA_CUDA_ARCHITECTURE_NAMES compute_${CMAKE_MATCH_1})
      endif()
    else()
      list(APPEND ZETA_CUDA_ARCHITECTURE_NAMES ${architecture})
    endif()
  endforeach()
  set(CMAKE_CUDA_RUNTIME_LIBRARY None)
  enable_language(CUDA)
  set(ENV{LIBRARY_PATH} "${library_path}")
  set(ZETA_WITH_CUDA ON)
  string(REPLACE ";" " " architectures "${CMAKE_CUDA_ARCHITECTURES}")
  message(STATUS "zeta: with CUDA kernels, by ${nvcc} (${CMAKE_CUDA_COMPILER_VERSION}) for the "
    "architectures ${architectures}")
elseif(ZETA_CUDA STREQUAL "ON")
  message(FATAL_ERROR "zeta: ZETA_CUDA=ON, but ${reason}. Name a compiler with CUDACXX=/path/to/nvcc, "
    "install one with pip install \"cuda-toolkit[cccl,crt,nvcc,nvvm]==${ZETA_TORCH_CUDA}.*\", or build for the "
    "CPU alone with ZETA_CUDA=OFF.")
else()
  set(ZETA_WITH_CUDA OFF)
  message(STATUS "zeta: without CUDA kernels: ${reason}")
endif()
