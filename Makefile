# make demo   score the spoken demo clip in simulated hardware, bit for bit against PyTorch, and on
#             a virtual board
# make test   lint, types and tests
# make bench  the figures of README.md as JSON
#
# Each sets up .venv first, and again only if what it is made from has changed.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest -q -n 2

.PHONY: demo test lint types bench setup

demo: $(READY)
	@$(BIN)/bambino score --engine rtl
	@$(BIN)/bambino verify
	@$(BIN)/bambino score --engine board --port sim:icebreaker

test: lint types
	$(PYTEST) -m unit
	$(PYTEST) -m "not unit"

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

bench: $(READY)
	@$(BIN)/bambino bench

setup: $(READY)

$(READY): pyproject.toml constraints.txt tools/set_up.sh
	@bash tools/set_up.sh "$(PYTHON)" "$(VENV)"
	@touch $@
