#!/bin/bash
# run.sh SECONDS [BUILD_FOLDER]: builds the fuzzers and runs each for so long, from its corpus beside
# this file. Fails if one of them finds something, and says where that lies.
# PYTHON in the environment names the Python that has torch and zeta, else it is python3; KEEP=1
# replaces each corpus by the inputs, of it and of the run, that are needed to cover as much.
set -euo pipefail

seconds=${1:?run.sh: expected for how many seconds each fuzzer is to run}
here=$(cd "$(dirname "$0")" && pwd)
build=${2:-$here/../../build/fuzz}
python=${PYTHON:-python3}

prefix=$("$python" -c 'import zeta; print(zeta.cmake_prefix_path)')
PATH=$("$python" -c 'import sysconfig; print(sysconfig.get_path("scripts"))'):$PATH
mkdir -p "$build"
if ! { cmake -S "$here" -B "$build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" &&
  cmake --build "$build"; } >"$build/build.log" 2>&1; then
  cat "$build/build.log" >&2
  exit 1
fi

number_of() { sed -n "s/^stat::$1: *//p" "$2"; }

status=0
for name in forward backward arguments; do
  run=$build/$name
  rm -rf "$run"
  mkdir -p "$run/corpus" "$run/found"
  tar -xzf "$here/corpus/$name.tar.gz" -C "$run/corpus"
  result=0
  "$build/fuzz_$name" -max_total_time="$seconds" -max_len=512 -len_control=0 -use_counters=0 -timeout=60 \
    -print_final_stats=1 -artifact_prefix="$run/found/" "$run/corpus" \
    >"$run/log" 2>&1 || result=$?
  found=$(find "$run/found" -type f)
  echo "fuzz_$name: $(number_of number_of_executed_units "$run/log") executions," \
    "$(number_of average_exec_per_sec "$run/log") per second," \
    "$(grep -o 'cov: [0-9]* ft: [0-9]*' "$run/log" | tail -n 1)," \
    "$(grep -c . <<<"$found" || true) findings"
  if ((result != 0)); then
    status=1
    grep -A 12 -m 1 -E '^  what\(\): |runtime error: |ERROR: ' "$run/log" | grep -v '^    #' ||
      tail -n 20 "$run/log"
    echo "fuzz_$name: the input is ${found:-not kept}; the log is $run/log"
  elif [ -n "${KEEP:-}" ]; then
    mkdir "$run/needed"
    "$build/fuzz_$name" -merge=1 -use_counters=0 "$run/needed" "$run/corpus" >"$run/merge.log" 2>&1
    tar -czf "$here/corpus/$name.tar.gz" -C "$run/needed" --sort=name --owner=0 --group=0 --mtime=@0 .
  fi
done
exit $status
