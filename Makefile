# Every target makes what it needs: a virtual environment in .venv from the exact versions of requirements.lock.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help demo test lab bench faults lint format

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 14

demo: $(READY) ## the mini suite from end to end: trains, then prints the path of the report
	$(BIN)/intertask run params/demo.yaml
	$(BIN)/intertask report params/demo.yaml

test: $(READY) ## every test
	$(BIN)/python -m pytest

lab: $(READY) ## JupyterLab on this repository, opened at the tour; on this machine only
	env PATH="$(abspath $(BIN)):$$PATH" $(BIN)/jupyter lab --allow-root --config=lib/intertask/lab/settings/lab.json $(ARGS)

bench: $(READY) ## what the lab costs beside plain papermill and Trainer, in one table (on an idle machine)
	$(BIN)/python -W ignore tests/benchmarks/bench.py

faults: $(READY) ## sixteen faults ten times in a row, then kills for five minutes: scores must be those of a calm run
	$(BIN)/python tests/benchmarks/sixteen.py
	$(BIN)/python tests/benchmarks/faults.py

lint: $(READY) ## style and imports, as the tests see them
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache

format: $(READY) ## puts style right, and takes outputs out of the notebooks
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	$(BIN)/nbstripout --keep-id $$(git ls-files '*.ipynb')

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Expected Python 3.11 or newer, found " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 …"'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@
