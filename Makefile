# TORCH is pinned, and repeated on every pip line so that no dependency can replace it. The build looks for ninja on the
# path; without it every source is compiled anew, one by one.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --no-build-isolation $(TORCH)
CPP_SOURCES := $(shell find csrc -name '*.cpp' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' -o -name '*.inc')

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all systems fuzz coverage table lint bench counts resources rates races asan tsan \
	mutants notebooks gpu clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## make .venv with everything the other targets need; nothing to do the second time

demo: setup ## see the lines of 44 years of CO2, be told which a network learns, and watch two cures
	$(BIN)/fastspec report fastspec/recipes/data/co2.csv --x date --y co2 --out results/co2.html
	$(BIN)/fastspec run mauna-loa
	$(BIN)/fastspec run plug-in

# A worker to a core, each of one thread: tests of threads ask for theirs.
test: setup ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

test-all: setup ## run the slow tests too: every cell of the table of torch, every recipe at its quick size
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -m "not gpu"

systems: setup ## run every recipe at its default size and write docs/systems.md of them; takes long
	$(BIN)/fastspec run all --out results/all
	$(BIN)/python -m benchmarks.tools.systems results/all

fuzz: setup ## try new random problems and hostile arguments for ten minutes
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest tests/fuzz

coverage: setup ## run the tests and count the lines of fastspec/ that they reach, those of Triton's kernels interpreted
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal --cov

table: setup ## run every cell of the table of torch's features, slow ones too, and write it to docs/torch.md
	PYTHONPATH=tests/support $(BIN)/python -m pytest tests/test_torch.py -m "slow or not slow" -p table_report --table docs/torch.md

lint: setup ## check style of Python and C++, and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CPP_SOURCES) benchmarks/tools/counts.cpp tests/support/shapes.cpp tests/support/races.cpp

bench: $(VENV)/.bench ## time fastspec against the libraries a user would pick instead; takes ten minutes
	$(BIN)/fastspec bench

counts: setup ## count the instructions of each kernel with valgrind, against those recorded
	$(BIN)/python -m benchmarks.tools.counts

resources: setup ## compile every Triton kernel for sm_80 and sm_90 and record registers and spills; takes five minutes
	$(BIN)/python -m benchmarks.tools.triton_resources

rates: setup ## measure the planner's costs on this machine and write csrc/plan/rates.h; takes eight minutes
	$(BIN)/python -m benchmarks.tools.fit_planner --write

races: ## look for races in the CUDA kernels, on a CPU under ThreadSanitizer; takes three minutes
	mkdir -p build/races
	for f in csrc/cuda/*.cu tests/support/races.cpp; do \
		echo $$f; $(CXX) -std=c++20 -O1 -g -fsanitize=thread -DFASTSPEC_RACES -x c++ -c $$f -o build/races/$$(basename $$f).o || exit 1; \
	done
	$(CXX) -fsanitize=thread build/races/*.o -o build/races/races && build/races/races

asan: setup ## run ops and kernels of every level under AddressSanitizer and for undefined behaviour; takes long
	$(BIN)/python tests/support/sanitized.py address

tsan: setup ## look for races in the CPU kernels of every level, under ThreadSanitizer; takes long
	$(BIN)/python tests/support/sanitized.py thread

mutants: setup ## break the code in forty places, one at a time, and see that the tests notice; takes long
	$(BIN)/python tests/support/mutants.py

notebooks: $(VENV)/.notebooks ## run the examples as notebooks and write them with their pictures
	$(BIN)/python -m benchmarks.tools.notebooks

# --no-deps, for such machines often have no package index; what the ignored tests import may then be missing
gpu: ## on a machine with CUDA: build with its own python and torch, test what needs a GPU, and time it
	@$(PYTHON) -c 'import importlib.util as u; assert u.find_spec("torch") and __import__("torch").cuda.is_available()' \
		2>/dev/null || { echo "make gpu: $(PYTHON) finds no CUDA device through torch" >&2; exit 1; }
	USE_CUDA=1 $(PYTHON) -m pip install --no-build-isolation --no-deps -e .
	$(PYTHON) -m pytest -m gpu --ignore=tests/test_cli.py --ignore=tests/recipes --ignore=tests/benchmarks --ignore=tests/fuzz \
		$$($(PYTHON) -c 'import xdist' 2>/dev/null && printf -- '-n 8'); tested=$$?; \
	bash -c 'if [ -f .rivals/activate ]; then source .rivals/activate; fi; $(PYTHON) -m benchmarks.gpu' && exit $$tested

clean: ## remove .venv, builds and caches; figures and results stay
	rm -rf $(VENV) build dist *.egg-info fastspec/*.so .pytest_cache .hypothesis .coverage .coverage.* .ruff_cache .mypy_cache
	find fastspec tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.torch: | $(VENV)/bin/python
	$(BIN)/python -m pip install "setuptools>=77" wheel ninja pybind11 $(TORCH)
	touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("fastspec needs Python 3.10 or newer: make PYTHON=..." if sys.version_info < (3, 10) else None)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/.torch pyproject.toml setup.py $(CPP_SOURCES)
	$(PIP_INSTALL) -e '.[demo,test,dev]'
	touch $@

$(VENV)/.bench: $(VENV)/.installed
	$(PIP_INSTALL) -e '.[bench]'
	touch $@

$(VENV)/.notebooks: $(VENV)/.installed
	$(PIP_INSTALL) -e '.[notebooks]'
	touch $@
