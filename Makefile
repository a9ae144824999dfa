# make demo     install masklet into .venv and track two objects through a real video
# make test     the tests that need no network, no accelerator and no weights
# make lint     ruff, pyright and the import contract
# make parity   the tests against the reference arrays beside the checkout, the official code and transformers
# make browser  the tests that look at the report page with the Chromium of this machine
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
.PHONY: help demo test lint parity browser clean

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

# The official code comes without its requirements: torchvision among them would need one certain build of torch. It wants
# torch while it is built, so it is built with that of the environment.
$(VENV)/.stamp-official: $(VENV)/.stamp-parity
	SAM2_BUILD_CUDA=0 $(PIP) --no-deps --no-build-isolation sam2
	@touch $@

demo: $(VENV)/.stamp-demo
	$(BIN)/masklet demo $(DEMO_FLAGS)

test: $(VENV)/.stamp-dev $(VENV)/.stamp-train $(VENV)/.stamp-annotate $(VENV)/.stamp-postgresql
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 $(PYTEST_FLAGS)

# One thread: rounding depends on their number, and refined masks amplify it to near the tolerance.
parity: $(VENV)/.stamp-dev $(VENV)/.stamp-train $(VENV)/.stamp-official
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m parity $(PYTEST_FLAGS)

browser: $(VENV)/.stamp-dev $(VENV)/.stamp-annotate $(VENV)/.stamp-browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m browser tests/browser $(PYTEST_FLAGS)

lint: $(VENV)/.stamp-dev $(VENV)/.stamp-train $(VENV)/.stamp-annotate $(VENV)/.stamp-postgresql
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
