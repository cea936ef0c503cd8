# make demo    the whole way of a listing into an inbox, on this machine only
# make test    everything the tests need, inside this folder, and then the tests
# The rest is for working on the program: CONTRIBUTING.md.

# The first Python here that is new enough; PYTHON=/path/to/python chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
JOBS ?= auto
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# Each install leaves a stamp, so that the next one happens when its list has changed.
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
RIVALS := $(VENV)/.bench-installed

.PHONY: help demo test check fmt bench soak docs pictures constraints clean

help:
	@echo "make demo     see it work: invented papers, a mailbox on this machine, no questions"
	@echo "make test     run the tests"
	@echo "make check    lint, format, types and tests, as the runner does"
	@echo "make fmt      put the source in its format"
	@echo "make bench    measure; ONLY=name for one figure"
	@echo "make soak     the slow proofs"
	@echo "make docs     write docs/commands.md from the program's own help"
	@echo "make pictures  take the README's pictures of the demo anew"
	@echo "make constraints  write constraints.txt anew, from the newest versions allowed"
	@echo "make clean    remove .venv, caches and what the demo left"

demo: $(RUNTIME)
	@$(BIN)/python -m digest demo $(ARGS)

test: $(DEV)
	@$(BIN)/python -m pytest -n $(JOBS) --maxprocesses 8 $(ARGS)

check: $(DEV)
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest -n $(JOBS) --maxprocesses 8

fmt: $(DEV)
	@$(BIN)/python -m ruff check --fix
	@$(BIN)/python -m ruff format

bench: $(RIVALS)
	@$(BIN)/python -m bench $(ONLY)

soak: $(DEV)
	@$(BIN)/python -m pytest -m soak $(ARGS)
	@EXPLORE=1 $(BIN)/python -m pytest -n $(JOBS) --maxprocesses 8 -m hypothesis $(ARGS)

docs: $(DEV)
	@mkdir -p build
	@PYTHONPATH=. $(BIN)/python tests/commands.py > build/commands.md && mv build/commands.md docs/commands.md

pictures: $(DEV)
	@PYTHONPATH=. $(BIN)/python tests/pictures.py

constraints:
	@$(PYTHON) -m venv --clear build/constraints
	@build/constraints/bin/python -m pip install --quiet --upgrade pip
	@build/constraints/bin/python -m pip install --quiet --editable ".[postgres]" --group dev --group bench
	@{ sed '/^[^#]/,$$d' constraints.txt; build/constraints/bin/python -m pip freeze --exclude-editable; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist demo

$(RUNTIME): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Paper Digest needs Python 3.11 or newer. Have one elsewhere? make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

# pip reads [dependency-groups] from 25.1 on.
$(DEV): $(RUNTIME)
	@echo "Adding what the tests need to $(VENV) (once)"
	@$(PIP) install --upgrade "pip>=25.1"
	@$(PIP) install --constraint constraints.txt --group dev
	@touch $@

$(RIVALS): $(DEV)
	@echo "Adding what the benchmarks compare with to $(VENV) (once)"
	@$(PIP) install --constraint constraints.txt --group bench
	@touch $@
