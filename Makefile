# Everything here works with Python 3.11 or newer and make. `make` alone lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
RUNS   := $(VENV)/.runs
STAMP  := $(VENV)/.installed
DEMO   := .demo

export LC_ALL ?= C.UTF-8
# Every process that the tests start would compile everything anew where this is set.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help setup demo test lint bench histories completions config-example pins clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

setup: $(STAMP) ## make .venv with lumio and what its development needs

# Touched only when pip has succeeded, so that a broken set-up is done again.
$(RUNS): pyproject.toml requirements/run.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "lumio needs Python 3.11 or newer; try: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "the venv module does not work here; on Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; }
	$(PIP) --no-compile -c requirements/run.txt -e .
	@touch $@

$(STAMP): $(RUNS) requirements/dev.txt
	$(PIP) -c requirements/dev.txt -e '.[dev]'
	@touch $@

demo: $(RUNS) ## sync everything from the built-in look-alikes, and show the result
	@mkdir -p $(DEMO)
	LUMIO_HOME=$(DEMO) $(BIN)/lumio sync --sandbox --records 200
	LUMIO_HOME=$(DEMO) $(BIN)/lumio status --profile sandbox

# COVERAGE=1 measures branches, and fails below the threshold in pyproject.toml.
TEST_FLAGS := $(if $(COVERAGE),--cov --cov-report=term,)

# One worker more than there are cores: many tests wait for programs and for timers.
WORKERS := $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

test: $(STAMP) ## run all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TEST_FLAGS) $(PYTEST_ARGS)

lint: $(STAMP) ## check style, formatting, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) ## measure the storage and the engine
	$(BIN)/python -m bench

histories: $(STAMP) ## try 2,000 random histories of two-way sync, for every night
	LUMIO_MODEL_HISTORIES=2000 $(BIN)/python -m pytest -n auto tests/model

completions: $(STAMP) ## generate the shells' completion scripts
	@mkdir -p completions
	_LUMIO_COMPLETE=source_bash $(BIN)/lumio > completions/lumio.bash
	_LUMIO_COMPLETE=source_zsh $(BIN)/lumio > completions/_lumio
	_LUMIO_COMPLETE=source_fish $(BIN)/lumio > completions/lumio.fish

config-example: $(STAMP) ## generate config.example.yaml from the settings' declarations
	$(BIN)/lumio config init --print > config.example.yaml

pins: $(STAMP) ## pin what is installed, for repeatable set-ups
	$(BIN)/python requirements/pin.py run > requirements/run.txt.new
	$(BIN)/python requirements/pin.py dev > requirements/dev.txt.new
	mv requirements/run.txt.new requirements/run.txt
	mv requirements/dev.txt.new requirements/dev.txt
	@touch $(STAMP)

clean: ## remove everything that these targets made
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache .coverage .coverage.* htmlcov dist build
