# One line of help per target: the text after the two hashes.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
# For example: make test ARGS="tests/forum -k held"
ARGS ?=
PYTEST := $(BIN)/python -m pytest

# An answer, not a prompt, when an installer or a program would like to ask.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help run test check lint types soak bench lock clean

help: ## List what make can do here
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Boardwell needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "Python could not make a virtual environment. On Debian: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@echo "Installing the dependencies (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

run: $(READY) ## Start the site on http://127.0.0.1:8000 (HOST and PORT change it); keeps its data
	@$(BIN)/python -m core.firstrun
	@exec $(BIN)/flask --app wsgi ops up

test: $(READY) ## Run the tests, PostgreSQL and browser included; say what was skipped and why
	$(PYTEST) -n $(WORKERS) --dist loadgroup $(ARGS)

check: lint types test ## What CI runs: lint, types, layers, migrations = models, tests

lint: $(READY) ## Look for mistakes and breaches of style
	$(BIN)/ruff check .

types: $(READY) ## Check the type hints
	$(BIN)/mypy

soak: $(READY) ## Run the long proofs (before an issue is closed)
	$(PYTEST) -m soak -o faulthandler_timeout=3600 $(ARGS)

bench: $(READY) ## Run the benchmarks
	@ls bench/*.py >/dev/null 2>&1 || { echo "No benchmarks yet."; exit 0; }; \
	for file in bench/*.py; do $(BIN)/python -m "bench.$$(basename "$$file" .py)"; done

lock: $(READY) ## Write requirements.lock anew from pyproject.toml (keeps versions that still fit)
	@test -x $(VENV)/lock/bin/uv || { $(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/python -m pip install --quiet uv; }
	env -u PIP_FIND_LINKS $(VENV)/lock/bin/uv pip compile --no-config --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet \
		--extra dev --extra redis pyproject.toml -o requirements.lock

clean: ## Remove the virtual environment and caches; instance/ with the site's data stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
