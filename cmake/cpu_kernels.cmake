# The kernels of the CPU engine are compiled once for each instruction set; rowwise/cpu/capability.h
# says which of them runs.
set(capabilities baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND capabilities avx2 avx512)
endif()
set(options_avx2 -mavx2 -mf16c)
set(options_avx512 ${options_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl)

# Adds the kernels of all mappings to a library, compiled as the interface library `common` says.
function(zeta_add_cpu_kernels library common)
  set(engine ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../csrc/rowwise/cpu)
  foreach(capability IN LISTS capabilities)
    set(kernels ${library}_${capability})
    add_library(${kernels} OBJECT
      ${engine}/entmax_kernels.cpp
      ${engine}/entmax15_kernels.cpp
      ${engine}/softmax_kernels.cpp
      ${engine}/sparse_softmax_kernels.cpp)
    target_compile_definitions(${kernels} PRIVATE ZETA_CAPABILITY=${capability})
    # Nothing reads the floating-point exception flags. If they mattered, the compiler would keep
    # branches where it can use vectors.
    target_compile_options(${kernels} PRIVATE -fno-trapping-math ${options_${capability}})
    target_link_libraries(${kernels} PRIVATE ${common})
    target_sources(${library} PRIVATE $<TARGET_OBJECTS:${kernels}>)
  endforeach()
endfunction()
