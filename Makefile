# make demo     install masklet into .venv and track two objects through a real video
# make test     the tests that need no network, no accelerator and no weights
# make lint     ruff, pyright and the import contract
# make parity   the tests against the reference arrays beside the checkout and against transformers
# make clean    remove .venv and the caches of the tools

PYTHON ?= python3
VENV   ?= .venv
# More options for a target, as in: make test PYTEST_FLAGS="-k bank -x", make demo DEMO_FLAGS="--source my.mp4"
PYTEST_FLAGS ?=
DEMO_FLAGS   ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

# Two targets of one `make -j` must not install into one environment at once.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo test lint parity clean

help:
	@sed -n 's/^# make /make /p' Makefile

# A stamp stands for an installed set of packages. An upgraded pip or a moved checkout does not matter; pyproject.toml and the pins do.
# torch comes first and alone, so that the build which this machine's pip is configured for is the one that stays.
$(VENV)/.stamp-base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) -e .
	@touch $@

$(VENV)/.stamp-%: $(VENV)/.stamp-base
	$(PIP) -e '.[$*]'
	@touch $@

demo: $(VENV)/.stamp-demo
	$(BIN)/masklet demo $(DEMO_FLAGS)

test: $(VENV)/.stamp-dev $(VENV)/.stamp-train
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 $(PYTEST_FLAGS)

# One thread: rounding depends on their number, and refined masks amplify it to near the tolerance.
parity: $(VENV)/.stamp-dev $(VENV)/.stamp-parity
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m parity $(PYTEST_FLAGS)

lint: $(VENV)/.stamp-dev $(VENV)/.stamp-train
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
