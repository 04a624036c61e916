# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help system setup demo test test-slow test-slurm lint bench clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

system: ## Debian packages (as root) that some tests use: a browser, a DICOM validator, off-screen OpenGL; others skip them
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  chromium dicom3tools libegl1 libegl-mesa0 libgl1-mesa-dri libgl1 libxrender1 > /dev/null

setup: $(STAMP) ## .venv with everything that runs, tests and measures

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

DEMO := runs/phantom/demo/light_unet/mix-4.4/seed-0/fold-3

demo: $(STAMP) ## the main job on the embedded cohort, then a volume and its bone surface; ends with the table and the pictures
	$(BIN)/python -m sct.run model=light_unet loss=mix experiment=demo
	@id=$$($(BIN)/python -c "import json; print(max(json.load(open('$(DEMO)/split.json'))['test']))"); \
	scans=data/phantom/cohort/$$id; \
	$(BIN)/python -m sct.predict $$scans/mr.nii.gz demo/$${id}_sct.nii.gz --checkpoint $(DEMO)/best.ckpt \
	  --reference $$scans/ct.nii.gz && \
	$(BIN)/python -m sct.surface $$scans/ct.nii.gz demo/$${id}_sct.nii.gz demo/$${id}_surface && \
	echo "look at: demo/$${id}_sct_preview.png demo/$${id}_sct_viewer.html demo/$${id}_surface/heatmap.png"

test: $(STAMP) ## the tests, under ten minutes on two cores
	$(BIN)/python -m pytest

test-slow: $(STAMP) ## the tests marked slow
	$(BIN)/python -m pytest -m slow

test-slurm: $(STAMP) ## a sweep on a one-node SLURM that it installs and brings up itself (Debian, root)
	$(BIN)/python -m pytest -m slurm tests/slurm

bench: $(STAMP) ## ratios against peers and limits, nine minutes on two cores; BENCH=full: hours; page in benchmarks/results/
	$(BIN)/python -m benchmarks

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean: ## remove what the tools cached; cohorts, stores and runs stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
