# make demo: the whole method on rendered clips; make test: the tests; make lint: ruff; make gpu-check: tests and tables
# of one GPU, in at most 6 minutes, with what is installed.
PYTHON ?= python3
VENV ?= .venv
SEED ?= 0
DEMO ?= quick
# The interpreter of gpu-check, with torch and pytest: nothing is installed for it. Empty: that of VENV, else PYTHON.
GPU_PYTHON ?=
# Values reach the shell as they are and through the environment: blanks, quotes, ; and $ in them are letters.
# PYTHON is that of the installation alone: the scripts that a target runs take the installed interpreter.
override export NIGHTCRAWLER_PYTHON := $(value PYTHON)
unexport PYTHON
override export VENV := $(value VENV)
override export SEED := $(value SEED)
override export DEMO := $(value DEMO)
override export GPU_PYTHON := $(value GPU_PYTHON)

.PHONY: demo test test-slow gpu-check lint clean-demo install

install:
	@if [ ! -e "$$VENV/.installed" ] || [ setup.py -nt "$$VENV/.installed" ]; then set -e -x; \
	[ -x "$$VENV/bin/python" ] || "$$NIGHTCRAWLER_PYTHON" -m venv "$$VENV"; \
	"$$VENV/bin/python" -m pip install --quiet --upgrade pip; \
	"$$VENV/bin/python" -m pip install --quiet -e ".[dev,workflow]"; \
	touch "$$VENV/.installed"; fi

demo: install
	"$$VENV/bin/python" tools/demo.py --seed "$$SEED" --mode "$$DEMO"

clean-demo:
	rm -rf output/demo

test: install
	"$$VENV/bin/python" tests/halves.py

test-slow: install
	"$$VENV/bin/python" -m pytest -m slow

gpu-check:
	@python="$$VENV/bin/python"; [ -x "$$python" ] || python=$$NIGHTCRAWLER_PYTHON; "$${GPU_PYTHON:-$$python}" tools/gpu_check.py

lint: install
	"$$VENV/bin/ruff" check .
	"$$VENV/bin/ruff" format --check .
