# QTW Lab. `make help` lists what can be done; every target makes its own .venv first.

VENV ?= .venv
PYTHON ?=
JOBS ?= 2
# Processes of the whole suite; more than cores are faster, and what watches the clock then fails now and then.
WORKERS ?= 2

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXTRAS := backtest research search dask live redis dashboards dev

# Rooms whose tests start no kernel, browser or server: quick enough to run before every commit.
QUICK := $(wildcard $(addprefix tests/,house core indicators stats ledger strategies contracts backtest data))
NOTEBOOKS = $(shell find notebooks dashboards/pages -name '*.ipynb' -not -path '*/.ipynb_checkpoints/*' 2>/dev/null | sort)
# JupyterLab refuses root, which is who you are in most containers.
ROOT_FLAG = $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)
# No notebook is saved with the value of a known secret in its outputs.
MASKED := --ContentsManager.pre_save_hook=qtw_lab.runs.saving.masked

.PHONY: help setup system demo lab dashboards lint check test test-full bench notebooks lock derive clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## make .venv and install the locked versions (again only when they change)

$(READY): requirements.lock pyproject.toml tools/setup.sh tools/overrides.json
	@sh tools/setup.sh "$(VENV)" "$(PYTHON)"
	@touch $@

system: ## install the system packages the tests need (as root with apt-get; else only say which)
	@bash tools/system.sh

demo: $(READY) ## run the nightly report on bundled prices and say where the results are
	@$(BIN)/qtw demo

lab: $(READY) ## open JupyterLab on 127.0.0.1 at the first notebook
	$(BIN)/jupyter lab --ip=127.0.0.1 $(MASKED) $(ROOT_FLAG) $(LAB_FLAGS) notebooks/00_start.ipynb

dashboards: $(READY) ## publish the pages on 127.0.0.1 and print their addresses
	@$(BIN)/qtw dashboards $(DASHBOARDS_FLAGS)

lint: $(READY) ## style, types, architecture and clean notebooks, no tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/derive.py --check
	$(if $(NOTEBOOKS),@$(BIN)/nbstripout --verify $(NOTEBOOKS) || \
	  { echo "These notebooks are not clean; run: $(BIN)/nbstripout $(NOTEBOOKS)" >&2; exit 1; })

check: lint ## lint and the quick tests, in under two minutes: run it before every commit
	$(BIN)/pytest -q -m "not slow" -n $(JOBS) --dist loadscope $(QUICK)

test: $(READY) system lint ## everything CI runs: lint, all tests but the slow ones, every notebook
	$(BIN)/pytest -q -m "not slow" -n $(WORKERS) --dist loadscope --no-loadscope-reorder
	$(if $(NOTEBOOKS),$(BIN)/pytest -q -p no:cacheprovider -o addopts= -W default --nbval-lax --nbval-current-env \
	  --nbval-cell-timeout=120 -n $(JOBS) --dist loadscope notebooks dashboards/pages)

test-full: $(READY) system lint ## as test, with the slow cases too
	$(BIN)/pytest -q --hypothesis-profile=search -n $(JOBS) --dist loadscope
	$(if $(NOTEBOOKS),$(BIN)/pytest -q -p no:cacheprovider -o addopts= -W default --nbval-lax --nbval-current-env \
	  --nbval-cell-timeout=300 -n $(JOBS) --dist loadscope notebooks dashboards/pages)

bench: $(READY) ## measure against vectorbt, arch, ffn, skfolio and others; figures to docs/benchmarks.md
	@$(BIN)/python tests/benchmarks/run.py --docs $(BENCH_FLAGS)

notebooks: $(READY) ## execute every notebook into artifacts/notebooks
	$(BIN)/jupyter nbconvert --to notebook --execute --output-dir artifacts/notebooks $(NOTEBOOKS)

lock: $(READY) ## resolve pyproject.toml into requirements.lock anew, then derive
	$(BIN)/python -m uv pip compile pyproject.toml $(addprefix --extra ,$(EXTRAS)) --python-version 3.11 --upgrade \
	  --quiet --no-header --no-annotate -o requirements.lock
	$(BIN)/python tools/derive.py

derive: $(READY) ## write environment.yml and binder/environment.yml from pyproject.toml and the lock
	$(BIN)/python tools/derive.py

clean: ## remove caches and build leftovers; .venv and artifacts stay
	rm -rf build dist htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -path ./$(VENV) -prune -o -path ./.venv-bench -prune -o -path ./artifacts -prune -o \
	  \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -exec rm -rf {} +
