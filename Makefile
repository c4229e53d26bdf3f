# drycell's few commands; each does all its own set-up. Needs only Python 3.11 to 3.13 with venv and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.core
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test lint bench quality clean
help:
	@echo "make demo            a lot of devices through a simulated cell, with a real Semi-ATE test program"
	@echo "make demo OFFLINE=1  the same with a modelled program: no Semi-ATE packages, a few seconds"
	@echo "make test            all checks"
	@echo "make bench           measurements, one table after another"
	@echo "make quality         the long searches behind the tests, in full size: hours"
	@echo "make clean           remove what these made (environments, caches)"

$(CORE): pyproject.toml setup.py
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] and 'drycell needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...')"
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@touch $@

$(READY): $(CORE)
	$(PIP) -e ".[dev]"
	@touch $@

demo: $(CORE)
	$(BIN)/drycell run scenarios/demo.yaml$(if $(filter-out 0,$(OFFLINE)), --rung model)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/typecheck.py

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

bench: $(READY)
	@for file in tests/bench/bench_*.py; do echo; echo "== $$file"; PYTHONPATH=. $(BIN)/python $$file || exit 1; done

quality: $(READY)
	@for file in $$(grep -l "__main__" tests/quality/*.py); do name=$$(basename $$file .py); echo; echo "== $$name"; \
	  $(BIN)/python -m tests.quality.$$name || failed="$$failed $$name"; done; \
	test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

clean:
	rm -rf $(VENV) .cache build dist *.egg-info
