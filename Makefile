# Four words are enough: make demo · make test · make check · make fix.   `make help` lists all.
PYTHON  ?= python3
VENV    ?= .venv
WORKERS ?= 2
BIN     := $(VENV)/bin
STAMPS  := $(VENV)/stamps
NODE    := VENV=$(abspath $(VENV)) PIP_CONSTRAINTS="$(PINS)" scripts/node.sh
# The pins are made with Python 3.11; a Python that cannot take them gets the ranges of pyproject.toml.
PINS     = $(shell $(PYTHON) -c 'import sys; print("-c constraints.txt" if sys.version_info >= (3, 11) else "")')
DEMO    ?= .demo
HUB     ?= .hub
PROXY   := hub-config/node_modules/.installed
EXTRAS  := server s3 hub examples test
UI      := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null) \
           labextension/tsconfig.json labextension/install.json
BUNDLE  := jupyter_dlsys/labextension/package.json

export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo lab hub test check check-python check-ui check-generated fix bench pin clean distclean

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# ------------------------------------------------------------------ install

install: $(STAMPS)/package ## .venv with everything pinned, and the Lab extension

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "jupyter-dlsys needs Python 3.10 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	scripts/venv.sh "$(PYTHON)" "$(VENV)"
	@mkdir -p $(STAMPS) && touch $@

# Rewritten only when the requirements themselves change, not with every edit of pyproject.toml.
$(STAMPS)/requirements.txt: pyproject.toml scripts/requirements.py $(STAMPS)/venv
	@$(BIN)/python scripts/requirements.py $(EXTRAS) > $@.new
	@if cmp -s $@.new $@; then rm $@.new; touch $@; else mv $@.new $@; rm -f $(STAMPS)/libraries; fi

$(STAMPS)/libraries: $(STAMPS)/requirements.txt constraints.txt
	@if [ -f $@ ] && [ $@ -nt constraints.txt ]; then :; else \
	  echo "Installing the libraries (a few minutes the first time)"; \
	  if [ -t 1 ]; then quiet=; else quiet=-qq; fi; \
	  $(BIN)/python -m pip install $$quiet $(PINS) -r $(STAMPS)/requirements.txt; fi
	@touch $@

node_modules/.installed: package-lock.json | $(STAMPS)/libraries
	@echo "Installing the front end's libraries"
	@$(NODE) npm ci --no-progress --loglevel=error
	@touch $@

$(PROXY): hub-config/package-lock.json | $(STAMPS)/libraries
	@echo "Installing the hub's proxy"
	@$(NODE) npm ci --prefix hub-config --no-progress --loglevel=error
	@touch $@

$(BUNDLE): $(UI) package.json node_modules/.installed
	@echo "Building the Lab extension"
	@$(NODE) npm run --silent build:prod
	@touch $@

$(STAMPS)/package: pyproject.toml package.json jupyter_dlsys/etc/jupyter_dlsys.json $(BUNDLE)
	@echo "Installing jupyter-dlsys itself"
	@HATCH_JUPYTER_BUILDER_SKIP_NPM=1 $(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

# ------------------------------------------------------------------ use

demo: install ## the whole lab on real data: data, training, model, endpoint, second round
	@$(BIN)/dlsys demo --workspace $(DEMO) $(ARGS)

lab: install ## JupyterLab on the demo's workspace
	@$(BIN)/dlsys lab --workspace $(DEMO) $(ARGS)

hub: install $(PROXY) ## a JupyterHub with sample users on this machine, until Ctrl-C
	@$(NODE) $(BIN)/python hub-config/demo.py --state $(HUB) $(ARGS)

bench: install ## each headline figure beside its peer
	@$(BIN)/python -m benchmarks $(ARGS)

# ------------------------------------------------------------------ work on it

test: install $(PROXY) ## everything the tests need, then all tests (ARGS='-k word' for some)
	@scripts/system-packages.sh
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --tb=short $(ARGS)

check: check-python check-ui check-generated ## lint, types, import contracts, stale generated files

check-python: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-ui: install
	@$(NODE) npm run --silent lint
	@$(NODE) npm run --silent typecheck

check-generated: install
	$(BIN)/python -m dlsys_server.openapi --check
	$(BIN)/python scripts/settings_docs.py --check
	@$(NODE) npm run --silent types:check || { echo "labextension/src/api/schema.gen.ts is stale: make fix" >&2; exit 1; }

fix: install ## format, and make the generated files anew
	-$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .
	$(BIN)/python -m dlsys_server.openapi
	$(BIN)/python scripts/settings_docs.py
	@$(NODE) npm run --silent types
	-@$(NODE) npm run --silent fix

pin: install ## constraints.txt from what is installed now
	$(BIN)/python scripts/pin.py

clean: ## what was built, but not the environment
	rm -rf build dist jupyter_dlsys/labextension labextension/lib labextension/tsconfig.tsbuildinfo \
	  .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis tests/ui/.results
	find jupyter_dlsys server tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## back to a fresh clone
	rm -rf $(VENV) node_modules
