# Everything a user or developer does, by name. `make help` lists it; nothing here needs more than Python and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip --disable-pip-version-check --quiet
CONFIG ?= config.example.yaml
CYCLES ?= 50
NODE_DEPS := .deps/node
SDK_DEPS  := .deps/sdks
SDKS      := $(basename $(notdir $(wildcard tests/delivery/sdks/requirements/*.txt)))

.DEFAULT_GOAL := help
.PHONY: help run demo test test-whole check format docs bench crash torture install install-dev deps-node deps-sdks clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: install  ## Start the collector on config.example.yaml (another file: CONFIG=path)
	@exec $(BIN)/spanmill run --config $(CONFIG)

demo: install  ## Start a collector, send it LLM traces with OpenTelemetry's SDK, ask it questions
	@exec $(BIN)/python -m spanmill.generate.demo

# Each file in one of the two processes: its tests share daemons and what SDKs sent.
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder

test: install-dev  ## Run what every change needs, in two processes
	$(BIN)/python -m pytest $(IN_TWO) -m "not torture and not whole"

test-whole: install-dev  ## Run the tests with whole collectors, SDKs and Prometheus
	$(BIN)/python -m pytest $(IN_TWO) -m "whole and not torture"

check: install-dev  ## Check style, types and that generated documents are current
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(BIN)/python -m spanmill.config.document $$fresh && \
	  $(BIN)/python -m tests.pii.dataset.document $$fresh && \
	  for file in $$(ls $$fresh); do diff -u docs/$$file $$fresh/$$file || { \
	    echo "docs/$$file is not current; run \`make docs\`" >&2; exit 1; }; done

format: install-dev  ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: install-dev  ## Write docs/configuration.md, its JSON Schema, docs/dialects.md and docs/pii-accuracy.md
	$(BIN)/python -m spanmill.config.document
	$(BIN)/python -m tests.pii.dataset.document

bench: install-dev  ## Measure CPU per span, memory, and each step against a baseline
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/parquet_ratio.py
	$(BIN)/python benchmarks/journal.py
	$(BIN)/python benchmarks/journal.py --only grpc/100/light/32 --slow-disk-ms 5 --rate 200
	$(BIN)/python benchmarks/journal_layer.py
	$(BIN)/python benchmarks/backlog.py
	$(BIN)/python benchmarks/llm.py
	$(BIN)/python benchmarks/llm_cost.py
	$(BIN)/python benchmarks/judge.py
	$(BIN)/python benchmarks/llm_metrics.py
	$(BIN)/python benchmarks/messages.py
	$(BIN)/python benchmarks/pii.py
	$(BIN)/python benchmarks/pii_masker.py
	$(BIN)/python benchmarks/pii_batches.py
	$(BIN)/python benchmarks/sampling_probability.py
	$(BIN)/python benchmarks/tail_sampling.py

crash: install-dev  ## Kill the collector 50 times under load, and cut its power (as root); CYCLES=n for more
	SPANMILL_CRASH_CYCLES=$(CYCLES) $(BIN)/python -m pytest -m torture tests/delivery/crashes --timeout 3600 -rs

torture: install-dev  ## Run the long fuzz and load suites
	$(BIN)/python -m pytest -m torture --timeout 3600

install: $(VENV)/installed  ## Make the environment in .venv
install-dev: $(VENV)/installed-dev  ## The same, with what the tests need

deps-node: $(NODE_DEPS)/installed  ## Fetch OpenTelemetry's Node SDK for its tests (needs npm)
deps-sdks: $(SDKS:%=$(SDK_DEPS)/%/installed)  ## Fetch the SDKs that record LLM calls, for their tests

clean:  ## Remove the environment and everything fetched or built
	rm -rf $(VENV) .deps build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Spanmill needs Python 3.11 or newer; \`$(PYTHON)\` is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "This Python cannot make environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# setuptools comes first and builds without isolation, so that the pins hold for the build as well.
$(VENV)/installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing into $(VENV), once ..."
	@$(PIP) install -c constraints.txt setuptools
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[all]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing what the tests need into $(VENV), once ..."
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

$(NODE_DEPS)/installed: tests/delivery/node/package.json tests/delivery/node/package-lock.json
	@command -v npm >/dev/null || { echo "npm is not installed; the Node tests will be skipped" >&2; exit 1; }
	@mkdir -p $(NODE_DEPS)
	@cp $^ $(NODE_DEPS)/
	@cd $(NODE_DEPS) && npm ci --silent --no-audit --no-fund
	@touch $@

# Each list is complete, so pip has nothing to resolve; what no test imports is not compiled.
$(SDK_DEPS)/%/installed: tests/delivery/sdks/requirements/%.txt | $(BIN)/python
	@echo "Installing into $(@D), once ..."
	@$(BIN)/python -m venv --clear --without-pip $(@D)
	@$(PIP) --python $(@D)/bin/python install --no-deps --no-compile -r $<
	@touch $@
