#!/bin/sh
# run.sh [BUILD_FOLDER]: compiles the layers below Torch for aarch64 and runs their tests in an
# emulator. Needs cmake, ninja, and Debian's packages g++-aarch64-linux-gnu, qemu-user, googletest.
set -eu
source=$(dirname "$(realpath "$0")")
build=${1:-$source/../../build/aarch64}

cmake -G Ninja -S "$source" -B "$build" --toolchain "$source/toolchain.cmake"
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$(nproc)"
