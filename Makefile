# Each command sets up what it needs in .venv first. Needed beforehand: Python 3.11 or newer, make, a package index.

PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
OLDEST := .venv-oldest

.PHONY: demo test test-slow test-oldest lint format docs dist bench faults clean

demo: .venv/demo-installed  ## train with and without dropout on a few real digits, and write a page about it
	$(BIN)/thinnet experiment dropout

# Three processes for two cores, each with one thread for its products and loops: files share cores better than threads do.
# Bytecode is kept even where the environment says otherwise, since the tests start Python some hundred times.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
PYTEST := -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test: .venv/dev-installed  ## the test suite
	$(ONE_THREAD) $(BIN)/python $(PYTEST) -m "not slow"

test-slow: .venv/dev-installed  ## the tests that take minutes each
	$(ONE_THREAD) $(BIN)/python $(PYTEST) -m slow

# Its compiled loops are cached apart, since each version of Numba throws away what another one wrote.
test-oldest: $(OLDEST)/installed  ## the test suite with the oldest versions that pyproject.toml allows
	NUMBA_CACHE_DIR=$(CURDIR)/$(OLDEST)/numba $(ONE_THREAD) $(BIN:.venv/%=$(OLDEST)/%)/python $(PYTEST) -m "not slow"

lint: .venv/dev-installed  ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: .venv/docs-installed  ## build the pages into docs/_build; open docs/_build/index.html
	$(BIN)/python -m sphinx -W --keep-going --quiet -b html -d docs/_build/.doctrees docs docs/_build

dist: .venv/dist-installed  ## the source archive and the wheel, into dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*

bench: .venv/peers-installed  ## measure beside PyTorch, JAX and scikit-learn, and write BENCHMARKS.md
	$(BIN)/python benchmarks/run.py

faults: .venv/dev-installed  ## kill, starve and disturb it, and write RELIABILITY.md (some ten minutes)
	$(BIN)/python faults/run.py

format: .venv/dev-installed  ## fix the style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv $(OLDEST) .cache runs dist docs/_build .pytest_cache .mypy_cache .ruff_cache

.venv/demo-installed: pyproject.toml | .venv
	@echo "Downloading packages into .venv, which takes a minute or two."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[digits,report]"
	@touch $@

# Bytecode is made of what is imported, then: making it of all that is installed takes as long as the rest.
.venv/dev-installed: pyproject.toml | .venv
	@echo "Downloading packages into .venv, which takes a minute or two."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable ".[dev]"
	@touch $@ .venv/demo-installed .venv/docs-installed

.venv/docs-installed: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	@touch $@

.venv/dist-installed: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "build>=1.2" "twine>=6.1"
	@touch $@

.venv/peers-installed: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,peers]"
	@touch $@

# uv is the installer that can take the lowest versions; it comes along, in the same environment. What the lowest ones need in
# turn is as new as can be, but for pyparsing: its 3.3 warns of how Matplotlib 3.9 calls it, and here warnings are errors.
$(OLDEST)/installed: pyproject.toml
	$(PYTHON) -m venv --clear $(OLDEST)
	$(BIN:.venv/%=$(OLDEST)/%)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	$(BIN:.venv/%=$(OLDEST)/%)/python -m uv pip install --quiet --python $(OLDEST) --resolution lowest-direct --editable ".[dev]" \
		"pyparsing>=3.2,<3.3"
	@touch $@

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Thinnet needs Python 3.11 or newer, but $(PYTHON) is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
