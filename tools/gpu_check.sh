#!/usr/bin/env bash
# Checks the CUDA kernels on the GPU of this machine, offline and in at most nine minutes: builds for that
# GPU alone, runs every test that needs one, compute-sanitizer on some, and the benchmark. Leaves logs,
# tables and pictures in a folder. What there is no time left for fails.
#
#   tools/gpu_check.sh [folder]        build/gpu-check, if none is named
#
# PYTHON names a Python that has torch, pybind11, cmake, ninja, setuptools, pytest, hypothesis, numpy,
# pandas, matplotlib and tqdm. With pytest-xdist, tests run side by side.
set -uo pipefail
cd "$(dirname "$0")/.."
results=$(realpath -m "${1:-build/gpu-check}")
python=${PYTHON:-python3}
mkdir -p "$results"

stop() { echo "gpu_check: $1" >&2; exit 1; }

capability=$($python -c '
import torch
torch.cuda.is_available() or exit("no GPU")
print("".join(map(str, torch.cuda.get_device_capability())))') ||
  stop "expected a GPU that torch of $python can use, and found none"

# Nothing that was built elsewhere is used.
work=$(mktemp -d) || stop "no folder for temporary files"
trap 'rm -rf "$work"' EXIT
export PYTHONPATH=$work/site ZETA_BUILD_DIR=$work/build ZETA_CUDA=ON
export CMAKE_ARGS=-DCMAKE_CUDA_ARCHITECTURES=$capability
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}

deadline=535
# step NAME SECONDS COMMAND...: its output goes to NAME.log.
step() {
  local name=$1 limit=$2 started=$SECONDS
  shift 2
  if ((limit > deadline - SECONDS)); then limit=$((deadline - SECONDS)); fi
  if ((limit > 0)) && timeout "$limit" "$@" >"$results/$name.log" 2>&1; then
    printf '%-32s ok      %4d s\n' "$name" $((SECONDS - started))
  else
    printf '%-32s FAILED  %4d s, see %s\n' "$name" $((SECONDS - started)) "$results/$name.log"
    echo "$name" >>"$work/failed"
    tail -n 15 "$results/$name.log" 2>/dev/null
  fi
}

side_by_side=()
$python -c 'import xdist' 2>/dev/null && side_by_side=(-n "$(($(nproc) < 8 ? $(nproc) : 8))")
tests=("$python" -m pytest -q -p no:cacheprovider)

step machine 60 sh -c "nvidia-smi; nvcc --version; $python -m torch.utils.collect_env"
step build 240 "$python" -m pip install --no-index --no-build-isolation --no-deps \
  --target "$work/site" .
[ ! -e "$work/failed" ] || stop "without a build there is nothing to check"

step tests 180 "${tests[@]}" "${side_by_side[@]}" tests/python -k cuda
for plan in lanes block split columns passes; do
  step "tests-of-plan-$plan" 60 env ZETA_CUDA_PLAN="$plan" "${tests[@]}" "${side_by_side[@]}" \
    tests/python/test_cuda.py -k "regime or anywhere"
done

# One shape of each regime, in one type. Without torch's cache every tensor is memory of its own.
some='every_regime and float32 and (3000x7 or 300x1024 or 20x5000 or 3x200000 or 60x5000 or 40x60)'
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do
    step "sanitizer-$tool" 150 env PYTORCH_NO_CUDA_MEMORY_CACHING=1 \
      compute-sanitizer --tool "$tool" --error-exitcode 1 --kernel-name-exclude regex:at:: \
      "${tests[@]}" tests/python/test_cuda.py -k "$some" &
  done
  wait
else
  echo "compute-sanitizer                not found"
fi
step benchmark 200 "$python" -m benchmarks --device cuda --results "$results"

echo "All of it took $SECONDS s and is in $results."
[ ! -e "$work/failed" ]
