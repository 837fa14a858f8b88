# make demo   score the spoken demo clip in simulated hardware, bit for bit against PyTorch, and on
#             a virtual board
# make test   lint, types and tests
# make ci-boards  two bitstreams, for an iCE40 and the smallest ECP5, and a second look at them
# make bench  the figures of README.md as JSON
#
# Each sets up .venv first, and again only if what it is made from has changed.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest -q -n 2

# One of each family, chosen for what they take: 3.4 minutes of processor time in all.
CI_BOARDS := hx8k ulx3s-12f

.PHONY: demo test lint types bench ci-boards setup

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

ci-boards: $(READY)
	@for board in $(CI_BOARDS); do \
	  $(BIN)/bambino build --board $$board --out build/ci-boards/$$board || exit; \
	done
	@$(BIN)/python -m boards.bitstream.audit $(CI_BOARDS:%=build/ci-boards/%)

bench: $(READY)
	@$(BIN)/bambino bench

setup: $(READY)

$(READY): pyproject.toml constraints.txt tools/set_up.sh
	@bash tools/set_up.sh "$(PYTHON)" "$(VENV)"
	@touch $@
