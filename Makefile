# `make quickstart` and `make test` each do all the set-up on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What is installed depends on these two files alone.
HASH := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
INSTALLED := $(VENV)/.installed-$(HASH)

.PHONY: install quickstart test lint types bench clean

install: $(INSTALLED)
	@# The environment may be shared between clones; the project in it is this one.
	@test "$$(cat $(VENV)/.project 2>/dev/null)" = "$(CURDIR)" || \
		{ $(BIN)/python -m pip install -q --no-deps -e . && echo "$(CURDIR)" > $(VENV)/.project; }

$(INSTALLED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "rlvr needs Python 3.11 or later: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "installing into $(VENV): a minute or more"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[train,dev]'
	@rm -f $(VENV)/.installed-*
	@echo "$(CURDIR)" > $(VENV)/.project
	@touch $@

quickstart: install
	$(BIN)/rlvr train quickstart

test: lint types
	$(BIN)/python -m pytest --cov --cov-report=term

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

bench: install
	$(BIN)/python benchmarks/spine.py

clean:
	rm -rf $(VENV) .coverage .pytest_cache .mypy_cache .ruff_cache
