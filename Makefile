# perdure: every target does its own set-up on a machine with Python 3.11+, make and a compiler.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export UV_CONSTRAINT := $(CURDIR)/constraints.txt
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint format docs notebooks bench study lock report-browser-test check-quantus check-stores install clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## create the environment

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q uv || echo "uv is not available; using pip"
	@if [ -x $(BIN)/uv ]; then $(BIN)/uv pip install -q --python $(BIN)/python -e '.[dev]'; \
	else $(BIN)/pip install -q -e '.[dev]'; fi
	@touch $@

demo: $(VENV)/.installed ## audit an LSTM whose saliency vanishes, and its repair by input-cell attention
	$(BIN)/perdure audit lstm boxes --compare lstm_input_cell_attention --method saliency \
	--method integrated_gradients:steps=32 --method input_iba:granularity=element --method random --samples 64 --out runs/demo

test: $(VENV)/.installed ## run the whole default test suite
	$(BIN)/pytest -n 2 -m "not slow"

test-slow: $(VENV)/.installed ## run the proofs that take minutes
	@$(BIN)/uv pip install -q --python $(BIN)/python -e '.[dev,ray]'
	$(BIN)/pytest -m slow --timeout=3600

report-browser-test: $(VENV)/.installed ## test the report in headless Chromium
	$(BIN)/pytest -m browser

check-quantus: $(VENV)-quantus/.installed ## compare with Quantus in a separate environment
	$(VENV)-quantus/bin/pytest -p no:cacheprovider tests/interop/test_quantus.py

$(VENV)-quantus/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-quantus
	$(VENV)-quantus/bin/pip install -q uv
	$(VENV)-quantus/bin/uv pip install -q --python $(VENV)-quantus/bin/python -e '.[dev,quantus]'
	@touch $@

lint: $(VENV)/.installed ## check style, types, layers and the absence of CUDA packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if $(BIN)/pip list 2>/dev/null | grep -Ei '^(nvidia|triton)' && [ -n "$(CI)" ]; then \
	echo "CUDA packages are installed: constrain torch"; exit 1; fi

check-stores: $(VENV)-stores/.installed ## test an S3 server on this machine in a separate environment
	$(VENV)-stores/bin/pytest -p no:cacheprovider -m "slow or not slow" --timeout=1200 tests/cli/test_stores.py

$(VENV)-stores/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-stores
	$(VENV)-stores/bin/pip install -q uv
	grep -v '^python-dateutil==' constraints.txt > $(VENV)-stores/constraints.txt # boto supports older versions only
	UV_CONSTRAINT=$(VENV)-stores/constraints.txt $(VENV)-stores/bin/uv pip install -q --python $(VENV)-stores/bin/python \
	-e '.[dev,s3]' 'aiobotocore>=3.5' 'moto[server]>=5.2'
	@touch $@

format: $(VENV)/.installed ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed ## build the documentation, with warnings as errors
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build
	@echo "docs: docs/_build/index.html"

notebooks: $(VENV)/.installed ## run the tutorials of texts and images as notebooks
	@$(BIN)/uv pip install -q --python $(BIN)/python -e '.[dev,notebooks]'
	@mkdir -p docs/_build/notebooks
	@for name in text images; do \
	$(BIN)/jupytext --quiet --to ipynb --set-kernel python3 --execute --output docs/_build/notebooks/$$name.ipynb docs/tutorials/$$name.md || exit 1; done
	@echo "notebooks: docs/_build/notebooks"

bench: $(VENV)/.installed ## measure against references and peers; ONLY=name for one
	$(BIN)/python -m benchmarks $(ONLY)

study: $(VENV)/.installed ## run one study: NAME=box_saliency
	$(BIN)/perdure study $(NAME)

lock: $(VENV)/.installed ## pin the newest versions of all dependencies, torch as it is
	grep '^torch==' constraints.txt > $(VENV)/torch.txt
	UV_CONSTRAINT= $(BIN)/uv pip compile pyproject.toml --extra dev --extra vision --extra ray --no-annotate --no-header -q -c $(VENV)/torch.txt \
	| sed -E 's/(torch==[0-9.]+)\+cpu/\1/' > $(VENV)/constraints.txt
	mv $(VENV)/constraints.txt constraints.txt

clean: ## remove the environment and all caches
	rm -rf $(VENV) $(VENV)-quantus $(VENV)-stores docs/_build docs/reference .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
