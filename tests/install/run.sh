#!/bin/bash
# run.sh PYTHON FOLDER VERSION...: tests dist's wheel as users install it, in an environment of each
# version of torch in turn. FOLDER/tree is an install tree for the torch of PYTHON.
# The oldest version gets every test that a version of torch can change, the others those of the
# installed package and a first use of each way to the operators.
set -euo pipefail
python=$1 folder=$2
shift 2
oldest=$1
wheel=$(echo dist/zeta_ops-*.whl)
held=$("$python" -c 'import torch; print(torch.__version__.partition("+")[0])')

for version in "$@"; do
  printf '\n== the wheel with torch %s\n' "$version"
  environment=$folder/environment
  "$python" -m venv --without-pip "$environment"
  user=$environment/bin/python
  "$python" -m pip --python "$user" install --quiet "torch==$version" "$wheel" --group demo --group test

  trees=(-DWHEEL="$("$user" -c 'import zeta; print(zeta.cmake_prefix_path)')")
  [ "$version" = "$held" ] && trees+=(-DTREE="$folder/tree")
  cmake -S tests/install -B "$folder/tests-$version" -DPYTHON="$user" "${trees[@]}"
  ctest --test-dir "$folder/tests-$version" --output-on-failure --no-tests=error

  tests=(tests/install/test_first_use.py tests/python/test_{import,package,distribution,find_package}.py)
  [ "$version" = "$oldest" ] && tests=(tests/install/test_first_use.py tests/python)
  "$user" -m pytest -m "not engine" -n 2 --dist loadfile "${tests[@]}" \
    --junit-xml="$folder/pytest-$version.xml"
  rm -rf "$environment"
done
