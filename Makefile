# make demo: the whole method on rendered clips; make test: the tests; make lint: ruff.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SEED ?= 0
DEMO ?= quick

.PHONY: demo test test-slow lint clean-demo install

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

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
