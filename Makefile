# `make demo` runs the main job, `make test` the tests. Each sets up .venv; a second time is free.
PYTHON ?= python3
CORES ?= 2
# TORCH=gpu installs torch's default build, with CUDA, instead of the CPU one.
TORCH ?= cpu

BIN := .venv/bin
READY := .venv/.ready-$(TORCH)
SNAKEMAKE = PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 $(BIN)/snakemake --cores $(CORES)

# On Linux the CPU build is a version of its own, found on torch's own index or in PIP_FIND_LINKS:
# where neither has it, set-up stops instead of fetching gigabytes of CUDA.
TORCH_INDEX := https://download.pytorch.org/whl/cpu
TORCH_VERSION := $(shell sed -n 's/^torch==//p' constraints.txt)
LOCAL_cpu_Linux := +cpu
TORCH_BUILD = torch==$(TORCH_VERSION)$(LOCAL_$(TORCH)_$(shell uname -s))

# The environment of test-cluster, with the plugin for Slurm; it looks into .venv for all the rest.
SLURM_READY := .venv-slurm/.ready
SLURM_PINS := $(shell grep -E '^(snakemake-executor-plugin-slurm|throttler)' constraints.txt)

.PHONY: demo test drills test-offline test-cluster check bench bench-stats bench-scale readme pages docs mutants lock setup phenomenon

demo: setup
	@$(SNAKEMAKE) --quiet rules
	@$(BIN)/plumbline summary config/quickstart.yaml

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(CORES) --dist loadfile -m "not slow and not drill and not cluster"

# Everything that can end or disturb a run, on a small one; the kills at MOMENTS moments each. SEED is
# printed, and repeats them. docs/reliability.md says what was run.
MOMENTS ?= 20
SEED ?=
drills: setup
	MOMENTS=$(MOMENTS) SEED=$(SEED) OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/drills -m drill --durations=0

# The same tests where there is no network but this machine's own loopback (Linux).
test-offline: setup
	unshare --map-root-user --net sh -c 'ip link set lo up && exec $(MAKE) test CORES=$(CORES)'

# Through a real Slurm, which it installs (Debian, as root), starts on loopback, and removes again.
test-cluster: $(SLURM_READY)
	$(BIN)/python tests/slurm_machine.py up
	PATH="$(CURDIR)/.venv-slurm/bin:$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 \
		.venv-slurm/bin/python -m pytest tests/cluster -m cluster -v --durations 0 \
		--basetemp /var/tmp/plumbline-slurm/tests; \
	status=$$?; $(BIN)/python tests/slurm_machine.py down && exit $$status

# DPO's falling likelihood in three seeds with its controls, held against its claims (minutes).
phenomenon: setup
	$(SNAKEMAKE) --configfile config/toyland/phenomenon.yaml
	$(BIN)/python -m pytest tests/test_phenomenon.py -m slow

check: setup
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(SNAKEMAKE) --lint

# Our engine against TRL's trainers, into docs/performance.md; wants the machine for itself.
bench: setup
	$(BIN)/python -m bench

# Simulated tournaments with known truth, into docs/statistics.md (minutes).
bench-stats: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m bench.statistics --processes $(CORES)

# Seconds and memory of the DAG of 1,200 runs, and of 12,000; docs/plan.md has what was printed.
bench-scale: setup
	$(BIN)/python -m bench.scale
	$(BIN)/python -m bench.scale --seeds 30

# Put a finished demo's table and figure into README.md: make readme TIME="6 min 40 s on 2 cores"
readme:
	$(PYTHON) docs/fill_readme.py "$(TIME)"

# Put tables and figures of the finished experiments of config/toyland/ into docs/: the paper's twins
# into results.md, the studies into studies.md.
pages:
	$(PYTHON) docs/fill_results.py

# Write docs/methods.md and docs/conformance.md anew from losses/ and from TRL's losses, executed.
docs: setup
	$(BIN)/python docs/fill_methods.py
	TRL_EXPERIMENTAL_SILENCE=1 $(BIN)/python docs/fill_conformance.py

# Change losses/*.py in every small way and list what their tests do not notice: METHODS="dpo kto"
mutants: setup
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutants.py --jobs $(CORES) $(METHODS)

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-deps --retries 1 --extra-index-url $(TORCH_INDEX) '$(TORCH_BUILD)'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@rm -f .venv/.ready-* && touch $@

$(SLURM_READY): $(READY)
	$(PYTHON) -m venv .venv-slurm
	.venv-slurm/bin/python -m pip install --quiet --no-deps $(SLURM_PINS)
	$(BIN)/python -c 'import site; print("import site; site.addsitedir(%r)" % site.getsitepackages()[0])' \
		> "$$(.venv-slurm/bin/python -c 'import site; print(site.getsitepackages()[0])')/venv.pth"
	@touch $@

# Resolve every dependency anew and pin what came out.
lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --no-deps --retries 1 --extra-index-url $(TORCH_INDEX) '$(TORCH_BUILD)'
	.venv-lock/bin/python -m pip install --quiet --editable '.[test,slurm]'
	.venv-lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu//; s/ @ .*//' > constraints.txt
	rm -rf .venv-lock
