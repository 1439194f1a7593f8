# Two commands do everything on a machine with Python 3.10-3.12, git and make:
#   make demo    own environment, real data, train, evaluate, export, serve, ask (a few minutes on two cores)
#   make test    own environment, style, types and tests

VENV ?= .venv
BIN := $(VENV)/bin
# The first interpreter that runs and is new enough; PYTHON=... overrides.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
# Test processes side by side, 1-2 GiB each.
WORKERS ?= 2

.PHONY: help demo test test-slow docs format proto clean
.DEFAULT_GOAL := help

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

demo: $(BIN)/.train  ## the whole way on MovieLens-100K, into demo/
	$(BIN)/intentrec demo --out demo

# Tests of the web page look at it in a Chromium (apt-get install chromium, python -m playwright install chromium, or
# CHROMIUM=/path); without one they are skipped and say so.
test: $(BIN)/.dev  ## everything CI runs: style, types, tests (without the slow ones)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -m 'not slow' -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-slow: $(BIN)/.dev  ## the tests that take minutes: the demo as users run it, 200 kills
	$(BIN)/python -m pytest -q -m slow

docs: $(BIN)/.dev  ## API pages from the docstrings, into build/docs/
	$(BIN)/python .docs/build.py --out build/docs

format: $(BIN)/.dev  ## put the code into its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto:  ## generate the client's protocol messages again
	serving/proto/generate.sh

clean:  ## remove what these commands made
	rm -rf $(VENV) demo build *.egg-info .pytest_cache .ruff_cache .mypy_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.10, 3.11 or 3.12 found; install one or run make PYTHON=/path/to/python." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(BIN)/.train: $(BIN)/python setup.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train]'
	touch $@

$(BIN)/.dev: $(BIN)/python setup.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(BIN)/.train
