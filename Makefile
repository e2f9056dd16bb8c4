# make demo: the whole method on rendered clips; make test: the tests; make lint: ruff; make gpu-check: tests and tables
# of one GPU, in at most 6 minutes, with what is installed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SEED ?= 0
DEMO ?= quick
# The interpreter of gpu-check, with torch and pytest: nothing is installed for it.
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

.PHONY: demo test test-slow gpu-check lint clean-demo install

install: $(VENV)/.installed

$(VENV)/.installed: setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[dev,workflow]"
	touch $@

demo: $(VENV)/.installed
	$(BIN)/python tools/demo.py --seed $(SEED) --mode $(DEMO)

clean-demo:
	rm -rf output/demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest

test-slow: $(VENV)/.installed
	$(BIN)/python -m pytest -m slow

gpu-check:
	$(GPU_PYTHON) tools/gpu_check.py

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
