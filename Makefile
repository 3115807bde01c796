# The first two commands: `make demo` runs the main job, `make test` runs the tests. Each sets up
# what it needs, in .venv here; nothing outside this folder is touched but missing system libraries.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test test-slow lint docs bench clean

demo: $(VENV)/.run
	$(BIN)/emocolor-stream demo demo --overwrite

# Two processes, each on one core: threads of torch that share cores wait for each other. What is live keeps time by
# the clock, so nothing else runs beside it. A process that dies ends the run, which would wait for it forever.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --max-worker-restart 0

test: $(VENV)/.dev
	$(PYTEST) --ignore tests/stream/live -m "not slow"
	$(PYTEST) tests/stream/live

# What takes long: kills, damaged files by the hundred, encoders on one core and two, training runs, Ray clusters.
test-slow: $(VENV)/.cluster
	$(PYTEST) --ignore tests/stream/live -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# MkDocs is pinned below 2; the variable silences its theme's notice about that.
docs: $(VENV)/.docs
	$(BIN)/python -m docs.options_page
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks --clips $(CLIPS)

$(VENV)/.run: pyproject.toml constraints.txt
	sh tests/system_libraries.sh
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) install --constraint constraints.txt --editable '.[dev,docs,train]'
	touch $@

# Ray and what it brings are 300 MB, which no other tests need.
$(VENV)/.cluster: $(VENV)/.dev
	$(PIP) install --constraint constraints.txt --editable '.[cluster,dev-cluster]'
	touch $@

$(VENV)/.docs: $(VENV)/.run
	$(PIP) install --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) demo dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
