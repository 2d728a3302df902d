# One verb for each chore; `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONUTF8 := 1
# Programs from Debian that some tests drive. As root on Debian they are installed here; elsewhere those tests are
# skipped with the command that would install them (under CI=true a missing one fails).

.DEFAULT_GOAL := help
.PHONY: help demo test check bench simulate soak sbom audit lock system clean

help: ## list what can be done here
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

$(VENV)/.ready: requirements.lock pyproject.toml
	@echo "Installing the pinned requirements into $(VENV) (the first time takes a minute or two) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
	@echo "Installed."

# What runs, and beside it what tests, measures and checks it: Spark alone is 450 MB.
$(VENV)/.tested: $(VENV)/.ready requirements-test.lock
	@echo "Installing what the tests need into $(VENV) (the first time takes one to three minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock
	@touch $@
	@echo "Installed."

demo: $(VENV)/.ready ## from sample to verdict on a synthetic province, then serve it
	@$(BIN)/survey demo --out out/demo

# Two processes on two cores: the matrices of each stay on its own, or both wait for each other's threads.
test: $(VENV)/.tested system ## every test
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

system:
	@missing=""; \
	command -v chromium >/dev/null || missing="$$missing chromium fonts-noto-core"; \
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v node >/dev/null || missing="$$missing nodejs"; \
	command -v javac >/dev/null || missing="$$missing openjdk-17-jdk-headless"; \
	test -d /usr/lib/R/site-library/survey || missing="$$missing r-cran-survey"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Debian packages for the tests:$$missing ..."; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; } >/dev/null 2>&1 \
	      || echo "Could not install$$missing; the tests that need them will say so."; \
	  else echo "Some tests will be skipped; to run them: sudo apt-get install$$missing"; fi; fi

check: $(VENV)/.tested ## linters: ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.tested ## speed and memory beside the peers and the limits, in one run
	@for file in $(filter-out tests/benchmarks/test_%,$(wildcard tests/benchmarks/*.py)); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

simulate: $(VENV)/.tested ## does a 95 % interval cover 95 %? do server and phone agree on 100,000 conditions? (minutes)
	@for file in tests/simulation/intervals.py tests/simulation/coverage.py tests/simulation/smallareas.py tests/simulation/classification.py tests/conformance/programs.py; do $(BIN)/python $$file || exit 1; done
	@$(BIN)/python tests/xlsform/javarosa.py tests/xlsform/forms/functions.md tests/xlsform/forms/household.md --fills 2000

soak: $(VENV)/.tested ## long runs: kill, cut, replay; 100,000 inputs to every address, a hundred times to every parser (two hours)
	@$(BIN)/python tests/faults/run.py --rounds 500
	@FUZZ_TIMES=100 $(BIN)/python -m pytest tests/web/test_description.py
	@FUZZ_TIMES=100 $(BIN)/python -m pytest tests/test_parsers.py

sbom: $(VENV)/.tested ## bill of materials (CycloneDX) of everything that is pinned and the list of licences, in out/
	@$(BIN)/python -m tests.supply.bom out/sbom.json

audit: $(VENV)/.tested ## known weaknesses of what is pinned, offline: make audit OSV=all.zip (the PyPI export of osv.dev)
	@$(BIN)/python -m tests.supply.weaknesses $(OSV)

PIN := uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-annotate --no-header pyproject.toml --extra build
lock: ## pin the requirements again (needs uv): all of them, and of these the ones that it runs with
	@$(PIN) --extra engines --extra test -o requirements-test.lock
	@$(PIN) --constraint requirements-test.lock -o requirements.lock

clean: ## remove what was made here
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis
