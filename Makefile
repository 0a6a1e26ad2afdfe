# The two commands: make demo, make test. Both set up .venv first, which is quick when nothing changed.
TORCH ?= 2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
IN_RANGE := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for p in python3.12 python3.11 python3.10 python3; do \
	$$p -c '$(IN_RANGE)' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
STAMP := .venv/.set_up

.PHONY: setup demo test lint format weights clean

setup: $(STAMP)

$(STAMP): setup.py pyproject.toml mm_edge/__init__.py | $(BIN)/python
	@# Without the index of CPU builds, x86-64 Linux would get CUDA as well: several GB that a laptop does not need.
	@index=""; $(BIN)/python -c "import urllib.request as u; u.urlopen('$(TORCH_INDEX)/torch/', timeout=5)" 2>/dev/null \
		&& index="--extra-index-url $(TORCH_INDEX)"; \
	$(BIN)/python -c "from importlib.metadata import version as v; assert v('torch').split('+')[0] == '$(TORCH)'" \
		2>/dev/null || $(BIN)/python -m pip install --quiet $$index torch==$(TORCH)
	$(BIN)/python -m pip install --quiet --editable ".[dds,export,speech,test]" torch==$(TORCH)
	$(BIN)/python -m pip install --quiet --no-deps kvpress==0.5.5
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.10, 3.11 or 3.12 is needed; name one: make setup PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "no venv module: apt install python3-venv" >&2; exit 2; }

demo: setup
	$(BIN)/mm-edge demo

test: setup
	$(BIN)/python -m pytest

# The shipped weights from nothing, each part from the one before; small and large need a GPU. Each goes on where it was cut off.
weights: setup
	for part in look small course path speech large; do $(BIN)/mm-edge train config/training/$$part.yaml || exit; done

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv out build install log *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
