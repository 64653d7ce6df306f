# make demo   install, run the main job on embedded data, print the boards; `bench ui` then shows the runs
# make test   install, then format, lint, types and tests
# make test-slow   the tests that take long (ARGS: what pytest is told, such as a folder)
# make test-faults   inject faults into real commands for seven minutes, write the table of what came of them
# make bench  speed, as ratios to peers in the same run; fails where one falls short of its goal
# make gpu-train  train published networks on a GPU within 8 minutes, into an archive for `bench import` (ARGS=--short)
# make gpu-check  all methods on a GPU against the CPU, trainings, speed: one table, at most 8 minutes (ARGS=--short)

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough, unless PYTHON names one.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; exit; }; done; echo python3)
STAMP := $(VENV)/.installed
YARDSTICKS := $(VENV)/.yardsticks

.PHONY: demo test test-slow test-faults bench gpu-check gpu-train check clean

demo: $(STAMP)
	@status=0; \
	$(BIN)/bench run denoising deblurring inpainting ct mri -m direct -m tv -m unet || status=$$?; \
	$(BIN)/bench run qsm -m direct -m tv || status=$$?; \
	$(BIN)/bench run ct mri -m learned_primal_dual || status=$$?; \
	$(BIN)/bench run mri -m varnet || status=$$?; \
	$(BIN)/bench run tissue -m oracle -m two_stage || status=$$?; \
	$(BIN)/bench board --boards .bench/leaderboards; \
	echo; echo "Review the runs:  $(BIN)/bench ui   then open http://127.0.0.1:5000, which lists the tracks"; \
	exit $$status

# One process more than there are processors: some tests wait for processes and servers.
test: check
	$(BIN)/pytest -n $$(($$($(BIN)/python -c 'import os; print(os.cpu_count())') + 1)) -m "not slow"

test-slow: $(STAMP)
	$(BIN)/pytest -m slow $(ARGS)

test-faults: $(STAMP)
	$(BIN)/python -m tests.faults $(or $(ARGS),--table tests/faults/TABLE.md)

check: $(STAMP)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

bench: $(STAMP) $(YARDSTICKS)
	$(BIN)/python -m tests.benchmarks

# Where python3 has torch already (a machine with a GPU and no network, say) nothing is installed.
gpu-check gpu-train:
	@if python3 -c 'import sys; from importlib.util import find_spec; sys.exit(find_spec("torch") is None)'; then \
		python=python3; else $(MAKE) $(STAMP) && python=$(BIN)/python; fi && $$python -m tests.$(subst -,_,$@) $(ARGS)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "reconbench needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Install one, or set PYTHON=..."; exit 1; }
	@echo "Installing into $(VENV) (a few minutes, about 6 GB) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[tracking,dev]'
	@touch $@

$(YARDSTICKS): $(STAMP)
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[yardsticks]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .mypy_cache
