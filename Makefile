# Two commands: `make demo` (core only) and `make test` (everything). Each makes .venv itself.
PYTHON ?= python3
# Two workers; a file stays with one of them, so that its servers start once.
PYTEST_OPTIONS ?= -n 2 --dist loadfile
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PATIENT := 患者男性,58岁,胸痛3天,心电图显示ST段压低

.PHONY: demo test slow serve lint check-graph clean

demo: $(VENV)/.core
	$(BIN)/xinglin diagnose "$(PATIENT)"

test: $(VENV)/.everything lint
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_OPTIONS)

# Before a release: what takes longer than about ten seconds a test. `make test` leaves it out.
slow: $(VENV)/.everything
	$(BIN)/python -m pytest -m slow -rs

serve: $(VENV)/.core
	$(BIN)/xinglin serve

lint: $(VENV)/.everything
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

check-graph: $(VENV)/.core
	$(BIN)/xinglin graph check

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

# torch first and pinned, so that nothing else chooses its build.
$(VENV)/.everything: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt torch==2.13.0
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,train,federate]'
	touch $@ $(VENV)/.core

clean:
	rm -rf $(VENV)
