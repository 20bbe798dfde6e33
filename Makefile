# make demo, make test, make test-install, make test-source, make test-deep, make fuzz,
# make works-with, make bench, make bench-engine, make bench-calls, make gpu-check, make lint,
# make format, make tidy, make docs, make wheel, make clean.
#
# TORCH=2.11.0                another version of torch, in an environment of its own
# TORCHES="2.11.0 2.15.0"     those that the wheel has operators for
# NVCC=pypi                   the CUDA compiler from PyPI instead of the machine's
# ZETA_CUDA=AUTO|ON|OFF       whether to compile the CUDA kernels
# CUDA_ARCHITECTURES=80;90    what to compile them for, or torch for torch's; else the machine's
#                             GPU, or 90
# PYTHON=python3.12           the interpreter of a new environment
# ENGINE_TESTS=OFF            make test without what no version of torch changes
# FUZZ_SECONDS=60             how long each fuzzer of make fuzz runs
# QUICK=1                     make bench in less than 3 minutes, with few cases
# ENGINE=--benchmark_filter=… arguments of make bench-engine
# KEEP=1                      make bench-engine into the results, make fuzz into the corpora, kept here

SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: build demo test test-install test-source test-deep fuzz works-with bench bench-engine \
  bench-calls gpu-check lint format tidy docs sdist wheel clean

# One of each minor version that there are operators for. The last is the one that we work with.
TORCHES ?= 2.11.0 2.12.0 2.13.0 2.14.0 2.15.0
default_torch := 2.15.0
TORCH ?= $(default_torch)
NVCC ?=
ZETA_CUDA ?= AUTO
ENGINE_TESTS ?= ON
FUZZ_SECONDS ?= 60
PYTHON ?= python3
CUDA_ARCHITECTURES ?= $(or $(shell \
  nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1 | tr -d .),90)

environment := .venv$(if $(filter-out $(default_torch),$(TORCH)),-$(TORCH))
python := $(environment)/bin/python
pip := $(python) -m pip
stamps := $(environment)/stamps
packages := $(stamps)/packages
build := build/torch-$(TORCH)-cuda-$(ZETA_CUDA)$(if $(NVCC),-nvcc-$(NVCC))
# setup.py empties this folder, so a build for another environment takes the stamp away.
zeta := python/zeta/lib/.$(notdir $(build))
# What users would have.
installed := $(CURDIR)/$(build)/installed
source := $(CURDIR)/$(build)/source

export PATH := $(CURDIR)/$(environment)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc)
export ZETA_CUDA

build: $(zeta)

# From nothing: the environment, torch and the tools, zeta.

$(stamps)/environment:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("zeta needs Python 3.11 or \
	newer, but $(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=...")'
	$(PYTHON) -m venv $(environment)
	$(pip) install --quiet 'pip>=25.1'
	mkdir -p $(stamps) && touch $@

# Torch is named each time, so that pip keeps to what that version of it allows.
$(stamps)/torch: $(stamps)/environment pyproject.toml
	$(pip) install torch==$(TORCH) $$($(python) -c 'import tomllib; \
	print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])')
	touch $@

$(packages): $(stamps)/torch
	$(pip) install torch==$(TORCH) --group dev
	touch $@

# All four, since nvcc alone asks for no particular version of the other parts of the compiler.
$(stamps)/nvcc: $(stamps)/torch
	$(pip) install torch==$(TORCH) 'cuda-toolkit[cccl,crt,nvcc,nvvm]'
	touch $@

sources := $(shell find csrc cmake -type f) CMakeLists.txt VERSION setup.py
torch_version := $(wildcard $(environment)/lib/python*/site-packages/torch/version.py)

cmake_arguments = -DZETA_BUILD_TESTS=ON -DZETA_TEST_ENGINE=$(ENGINE_TESTS) \
  -DCMAKE_COMPILE_WARNING_AS_ERROR=ON \
  -DCMAKE_CUDA_ARCHITECTURES=$(CUDA_ARCHITECTURES:torch=)

$(zeta): $(packages) $(if $(filter pypi,$(NVCC)),$(stamps)/nvcc) $(sources) $(torch_version)
	ZETA_BUILD_DIR=$(build) CMAKE_ARGS='$(cmake_arguments)' \
	$(pip) install --no-build-isolation --no-deps --verbose --editable .
	touch $@

demo: $(zeta)
	$(python) examples/quickstart.py

# Both suites run even if the first fails; their counts come last. More processes than two would want
# more memory than many machines have: the tests of large tensors take up to 20 GB.
test: $(zeta)
	cmake --build $(build)
	@set -o pipefail; \
	ctest --test-dir $(build) --output-on-failure --no-tests=error \
	  --parallel $(CMAKE_BUILD_PARALLEL_LEVEL) --output-junit ctest.xml | tee $(build)/ctest.log; cpp=$$?; \
	$(python) -m pytest $(if $(filter OFF,$(ENGINE_TESTS)),-m "not engine") -n 2 --dist loadfile \
	  --junit-xml=$(build)/pytest.xml | tee $(build)/pytest.log; python=$$?; \
	printf '\nC++    (ctest):  %s\nPython (pytest): %s\n' \
	  "$$(grep 'tests passed' $(build)/ctest.log || echo none ran)" \
	  "$$(grep -o '[0-9].* in [0-9.]*s' $(build)/pytest.log | tail -n 1 || echo none ran)"; \
	exit $$((cpp || python))

fuzz: $(zeta)
	tests/fuzz/run.sh $(FUZZ_SECONDS) $(build)/fuzz

# What takes hours. ONLY="fuzz valgrind" names some of it.
test-deep: $(zeta)
	$(python) -m tools.deep_tests $(if $(ONLY),--only $(ONLY))

# Of the runs of `make test` with both versions and of `make gpu-check` that left reports here. Where
# none did, the table is that of the kept results.
works-with: $(zeta)
	$(python) -m tools.works_with \
	  $(sort $(dir $(wildcard $(build)/pytest.xml build/torch-2.11.0-cuda-OFF/pytest.xml \
	  build/gpu-check/cuda.xml)))

$(stamps)/bench: $(packages)
	$(pip) install torch==$(TORCH) --group bench
	touch $@

bench: $(zeta) $(stamps)/bench
	$(python) -m benchmarks $(if $(QUICK),--quick)

kept_engine = '--benchmark_filter=/cache/(float32|bfloat16)/N.0,1./' \
  --benchmark_out_format=json --benchmark_out=benchmarks/results/engine.json

bench-engine: $(zeta)
	cmake -B $(build) -DZETA_BUILD_BENCHMARKS=ON
	cmake --build $(build) --target benchmark_engine
	$(build)/benchmarks/benchmark_engine $(if $(KEEP),$(kept_engine),$(ENGINE))

bench-calls: $(zeta) $(stamps)/bench
	cmake -B $(build) -DZETA_BUILD_BENCHMARKS=ON
	cmake --build $(build) --target benchmark_calls
	$(python) -m benchmarks.calls $(build)/benchmarks/benchmark_calls

# With the torch that is found, not that of an environment made here.
gpu-check:
	PYTHON=$(PYTHON) tools/gpu_check.sh

cxx_files = $(shell find csrc tests examples benchmarks -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh')

lint: $(packages)
	clang-format --dry-run -Werror $(cxx_files)
	ruff format --check .
	ruff check .
	mypy
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	tests/layers.sh

format: $(packages)
	clang-format -i $(cxx_files)
	ruff format .
	ruff check --fix .

tidy: $(zeta)
	run-clang-tidy.py -quiet -p $(build) '$(CURDIR)/csrc/.*\.cpp'

$(stamps)/docs: $(packages)
	$(pip) install torch==$(TORCH) --group docs
	touch $@

# All pages each time: of a page that is kept no warning would be seen.
docs: $(zeta) $(stamps)/docs
	$(python) -m sphinx --fail-on-warning --keep-going --fresh-env --quiet -b html docs build/docs

$(stamps)/wheel: $(stamps)/torch
	$(pip) install torch==$(TORCH) --group wheel
	touch $@

sdist: $(stamps)/wheel
	rm -f dist/*.tar.gz
	$(python) -m build --no-isolation --sdist .

# The operators for another torch, with the engine of this one. Of that torch the headers and libraries
# are needed, which are unpacked from its wheel, 2 to 4 GB, for this long.
operators := $(CURDIR)/$(build)/operators
$(operators)/%.made: $(zeta)
	rm -rf $(build)/unpacked $(operators)/$* && mkdir -p $(build)/unpacked
	$(pip) download --quiet --no-deps --dest $(build)/unpacked torch==$*
	$(python) -m zipfile -e $(build)/unpacked/torch-*.whl $(build)/unpacked
	ln -s $$(echo $(CURDIR)/$(environment)/lib/python*/site-packages/nvidia) $(build)/unpacked/nvidia
	cmake -S . -B $(build)/torch-$* -G Ninja -DZETA_CUDA=$(ZETA_CUDA) -DZETA_INSTALL_BESIDE_TORCH=ON \
	  -DZETA_ENGINE=$(CURDIR)/$(build)/csrc/rowwise/libzeta_engine.so \
	  -DTorch_DIR=$(CURDIR)/$(build)/unpacked/torch/share/cmake/Torch -DCMAKE_CUDA_ARCHITECTURES=90
	cmake --build $(build)/torch-$* --target zeta_facts
	cmake --install $(build)/torch-$* --prefix $(operators)/$*
	rm -rf $(build)/unpacked
	touch $@

# For every architecture of torch, whatever this folder was built for. What setuptools gathered for
# an earlier wheel may have files that are gone. Torch's and CUDA's libraries stay outside the wheel.
others := $(addprefix $(operators)/,$(filter-out $(TORCH),$(TORCHES)))
wheel: sdist $(if $(filter pypi,$(NVCC)),$(stamps)/nvcc) $(addsuffix .made,$(others))
	rm -rf build/lib build/lib.* $(build)/unrepaired dist/*.whl
	ZETA_BUILD_DIR=$(build) CMAKE_ARGS=-DCMAKE_CUDA_ARCHITECTURES= \
	  ZETA_OPERATORS='$(others)' \
	  $(pip) wheel --no-build-isolation --no-deps --verbose --wheel-dir $(build)/unrepaired .
	$(python) -m auditwheel repair --exclude 'libtorch*.so' --exclude 'libc10*.so' \
	  --exclude 'libcudart.so.*' --wheel-dir dist $(build)/unrepaired/*.whl

# The wheel in a new environment of each torch, one after the other, since each takes 6 GB: the whole
# suite with the oldest, and what a package has to do with all; what `cmake --install` installs; and
# the programs of examples/cpp with both.
test-install: $(zeta) wheel
	rm -rf $(installed)
	cmake -B $(build) -DZETA_INSTALL_BESIDE_TORCH=OFF
	cmake --install $(build) --prefix $(installed)/tree
	tests/install/run.sh "$(python)" $(installed) $(TORCHES)
	ZETA_WHEEL=$$(echo dist/zeta_ops-*.whl) $(python) -m pytest tests/install/test_wheel.py

# What pip makes of an sdist, and a project that holds the source, both for the CPU alone, since they
# compile everything.
test-source: $(zeta) sdist
	rm -rf $(source) && mkdir -p $(source)/sdist
	tar -xf dist/zeta_ops-*.tar.gz --strip-components 1 -C $(source)/sdist
	ZETA_SOURCE=$(source)/sdist ZETA_BUILD_DIR=$(source)/build ZETA_CUDA=OFF \
	  $(python) -m pytest tests/install/test_pip.py
	ctest --build-and-test tests/install/subproject $(source)/subproject --build-generator Ninja \
	  --build-options -DZETA_SOURCE=$(CURDIR) -DZETA_CUDA=OFF -DCMAKE_BUILD_TYPE=Debug \
	  -DCMAKE_CXX_FLAGS_DEBUG=-O0 \
	  -DCMAKE_PREFIX_PATH="$$($(python) -c 'import torch; print(torch.utils.cmake_prefix_path)')" \
	  --test-command $(source)/subproject/program

clean:
	rm -rf build dist python/zeta/{lib,include,share} python/*.egg-info
	rm -rf .pytest_cache .hypothesis .ruff_cache .mypy_cache
