#!/bin/sh
# Fails if a layer includes one above it: the engine (csrc/rowwise) and the maths (csrc/mappings)
# know nothing of Torch, and the maths nothing of the engine. Within the CPU engine no folder
# includes one above it, and nothing beside the folders but the tuning numbers.
cd "$(dirname "$0")/../csrc" || exit 1

check() {
  layer=$1 forbidden=$2
  [ -d "$layer" ] || { echo "layers: csrc/$layer is missing"; exit 1; }
  if grep -rnE "#[[:space:]]*include[[:space:]]*[<\"]($forbidden)" "$layer"; then
    echo "layers: csrc/$layer must not include what is listed above"
    exit 1
  fi
}

check rowwise 'torch|ATen|c10|ops/|zeta/'
check mappings 'torch|ATen|c10|ops/|zeta/|rowwise/|cu'

cpu=rowwise/cpu
beside='[a-su-z][a-z_]*\.h'  # all but tuning.h
check $cpu/vectors "$cpu/(rows/|lanes/|forward/|backward/|$beside)"
check $cpu/rows "$cpu/(lanes/|forward/|backward/|$beside)"
check $cpu/lanes "$cpu/(forward/|backward/|$beside)"
check $cpu/forward "$cpu/(backward/|$beside)"
check $cpu/backward "$cpu/(lanes/|forward/|$beside)"
