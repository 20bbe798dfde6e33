#!/usr/bin/env bash
# sanitize.sh NAME [BUILD_FOLDER]: builds the library and the C++ tests, runs them under NAME, and
# fails if it reports anything.
#   address   AddressSanitizer and UndefinedBehaviorSanitizer: all tests
#   thread    ThreadSanitizer: the tests that have threads
#   valgrind  memcheck: the tests of the maths and of the CPU engine, whose AVX-512 it does not know
# PYTHON names the interpreter whose torch is used, CAPABILITIES the instruction sets for valgrind.
# What tests/sanitizers/*.supp leaves out is not of this project's code.
set -euo pipefail

name=${1:-}
source=$(cd "$(dirname "$0")/.." && pwd)
build=${2:-$source/build/sanitize-$name}
python=${PYTHON:-python3}

case $name in
  address)
    flags='-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all -O1 -g'
    targets=(all)
    # Functions that are not inlined are not what capability_* is to look for.
    choice=(--exclude-regex '^(capability_|layers$)')
    ;;
  thread)
    # Headers of torch have fences, which ThreadSanitizer does not know.
    flags='-fsanitize=thread -Wno-tsan -O1 -g'
    targets=(test_threads test_sparse_softmax)
    choice=(--tests-regex '^(Threads|SparseSoftmax)')
    ;;
  valgrind)
    flags='-O2 -g -DZETA_KEEP_NO_MEMORY'
    targets=(test_fixed_point test_mappings test_float16 test_ordered_key
      test_row_geometry test_cpu_forward test_cpu_backward test_cpu_memory)
    ;;
  *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac

# The build runs tests too, to list them.
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=suppressions=$source/tests/sanitizers/thread.supp:print_suppressions=0
# ThreadSanitizer cannot map addresses as random as those of newer systems.
runner=()
[ "$name" = thread ] && runner=(setarch --addr-no-randomize)

# A build type that CMake knows no flags of adds none to these.
cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="$flags" \
  -DZETA_BUILD_TESTS=ON -DZETA_CUDA=OFF \
  -DCMAKE_PREFIX_PATH="$("$python" -c 'import torch; print(torch.utils.cmake_prefix_path)')"
"${runner[@]}" cmake --build "$build" --parallel "$(nproc)" --target "${targets[@]}"

if [ "$name" = valgrind ]; then
  for capability in ${CAPABILITIES:-default avx2}; do
    for target in "${targets[@]}"; do
      printf '== %s, %s\n' "$target" "$capability"
      ZETA_CPU_CAPABILITY=$capability valgrind --quiet --error-exitcode=1 --leak-check=full \
        "$build/tests/cpp/$target" --gtest_brief=1
    done
  done
else
  "${runner[@]}" ctest --test-dir "$build" --output-on-failure --no-tests=error \
    --parallel "$(nproc)" "${choice[@]}"
fi
