#!/usr/bin/env bash
# Checks the CUDA kernels on the GPU of this machine, offline and in at most nine minutes: builds for that
# GPU alone, runs every test that needs one, compute-sanitizer on some, the benchmark, and a profile.
# Leaves logs, a report, tables and pictures in a folder. What there is no time left for fails.
#
#   tools/gpu_check.sh [folder]        build/gpu-check, if none is named
#
# COMMIT names the commit, where there is no git to ask.
# SITE names a folder with a build of that commit for this GPU and PYTHON, to check in place of one of
# its own. It has to lie where it was built for, as do torch and CUDA.
# PYTHON names a Python that has torch, cmake, ninja, setuptools, pytest, hypothesis, numpy,
# pandas, matplotlib and tqdm. With pytest-xdist, tests run side by side.
set -uo pipefail
cd "$(dirname "$0")/.."
results=$(realpath -m "${1:-build/gpu-check}")
python=${PYTHON:-python3}
mkdir -p "$results"
rm -f "$results/cuda.xml"  # a run that is stopped writes none

stop() { echo "gpu_check: $1" >&2; exit 1; }

capability=$($python -c '
import torch
torch.cuda.is_available() or exit("no GPU")
print("".join(map(str, torch.cuda.get_device_capability())))') ||
  stop "expected a GPU that torch of $python can use, and found none"

# Nothing that was built elsewhere is used.
work=$(mktemp -d) || stop "no folder for temporary files"
trap 'rm -rf "$work"' EXIT
site=${SITE:-$work/site}
export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH} ZETA_BUILD_DIR=$work/build ZETA_CUDA=ON
# What is built does not come to lie beside torch.
export CMAKE_ARGS="-DCMAKE_CUDA_ARCHITECTURES=$capability -DZETA_INSTALL_BESIDE_TORCH=OFF"
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}

deadline=535
# step NAME SECONDS COMMAND...: its output goes to NAME.log.
step() {
  local name=$1 limit=$2 started=$SECONDS outcome=passed log=$results/$1.log
  shift 2
  : >"$log"
  if ((limit > deadline - SECONDS)); then limit=$((deadline - SECONDS)); fi
  if ! { ((limit > 0)) && timeout "$limit" "$@" >"$log" 2>&1; }; then
    outcome=FAILED
    echo "$name" >>"$work/failed"
    tail -n 15 "$log"
  fi
  echo "| $name | $outcome | $(said "$log") | $((SECONDS - started)) |" | tee -a "$results/report.md"
}

# What pytest and the sanitizers say last.
said() {
  sed -nE 's/^=* *(.*[0-9] (passed|failed).*) in [0-9.]+s.*/\1/p; s/^=+ (.*SUMMARY: .*)/\1/p' "$1" |
    paste -sd ';' | sed 's/;/; /g'
}

cat >"$results/report.md" <<END
# What a GPU said

Written by \`make gpu-check\` on $(date +%F), of ${COMMIT:-$(git describe --always --dirty)}.

Machine: $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | paste -sd ';'); \
$($python -c 'import torch; print("torch", torch.__version__)'); \
nvcc $(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/\1/p').

| step | result | said | seconds |
| --- | --- | --- | --- |
END

# What is expected is computed on the CPU, by as many threads as do not get in each other's way.
export OMP_NUM_THREADS=2
tests=("$python" -m pytest -q -p no:cacheprovider)
many=() few=()
$python -c 'import xdist' 2>/dev/null && many=(-n 8) few=(-n 2)

step machine 60 sh -c "nvidia-smi; nvcc --version; $python -m torch.utils.collect_env"
if [ -n "${SITE:-}" ]; then
  echo "| build | brought along | | |" | tee -a "$results/report.md"
else
  step build 240 "$python" -m pip install --no-index --no-build-isolation --no-deps --target "$site" .
fi
[ ! -e "$work/failed" ] || stop "without a build there is nothing to check"

# All tests side by side. tools/works_with.py reads cuda.xml.
step tests 260 "${tests[@]}" "${many[@]}" --junit-xml="$results/cuda.xml" tests/python -k cuda &
for plan in few many held segments columns passes; do
  step "tests-of-plan-$plan" 240 env ZETA_CUDA_PLAN="$plan" "${tests[@]}" "${few[@]}" \
    tests/python/test_cuda.py -k "regime or anywhere" &
done
# One shape of each regime in one type, and those whose kernels differ most in others. Without torch's
# cache every tensor is memory of its own.
some='float32 and (3000x8 or 700x200 or 20x5000 or 20x5003 or 3x200000 or 60x5000 or 40x60)'
some="every_regime and ($some or bfloat16 and (20x5000 or 3x200000) or float64 and 3x200000)"
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do
    step "sanitizer-$tool" 120 env PYTORCH_NO_CUDA_MEMORY_CACHING=1 \
      compute-sanitizer --tool "$tool" --error-exitcode 1 --print-limit 1 \
      --kernel-name-exclude kns=at:: \
      "${tests[@]}" tests/python/test_cuda.py -k "$some" &
  done
else
  echo "| compute-sanitizer | not found | | |" | tee -a "$results/report.md"
fi
wait
step benchmark 300 "$python" -m benchmarks --device cuda --results "$results"
if command -v ncu >/dev/null; then
  step profile 90 "$python" -m benchmarks.profile "$results"
else
  echo "| profile | ncu not found | | |" | tee -a "$results/report.md"
fi

echo "All of it took $SECONDS s and is in $results."
[ ! -e "$work/failed" ]
