PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin
# make run GPU=1 installs TensorFlow's CUDA libraries too, and what MLflow reads the GPU's use with
ACCELERATOR := $(if $(GPU),tensorflow[and-cuda] nvidia-ml-py==13.615.71,)
READY := .venv/ready$(if $(GPU),-gpu,)

# The program is many short processes: what one of them compiles, the others find compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-fast mutants test-faults test-cluster test-gpu-rehearsal fuzz check format screenshots clean

run: $(READY)
	@$(BIN)/python -m core dashboard --port $(PORT)

# fails below the coverage that pyproject.toml requires of core
test: .venv/ready-dev
	$(BIN)/python -m pytest -n 3 --dist worksteal -p tests.support.coverage

# for the edit loop: no process of the program, no browser, no model that is built
test-fast: .venv/ready-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not engine and not browser and not slow"

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: .venv/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# small changes to core.analysis and core.tracking that no test notices (docs/testing.md); takes hours, so name some:
# make mutants OF='core.analysis.scores*'
mutants: .venv/ready-mutants
	$(BIN)/python -m mutmut run $(OF) || true
	$(BIN)/python -m mutmut results

# each accident twenty times, where `make test` has one
test-faults: .venv/ready-dev
	ARCHLAB_FAULTS=20 $(BIN)/python -m pytest tests/faults --timeout 3600

# runs on a Ray cluster of this machine; Ray has an environment of its own
test-cluster: .venv/ready-dev .venv-ray/ready
	ARCHLAB_TEST_RAY=$(CURDIR)/.venv-ray/bin/ray $(BIN)/python -m pytest tests/cluster

# hostile texts, files and addresses: a hundred times as many as `make test` tries
fuzz: .venv/ready-dev
	ARCHLAB_FUZZ=100 $(BIN)/python -m pytest tests/fuzz -n 3 --dist worksteal --timeout 36000

# all parts of the GPU benchmark at their smallest, on a CPU with JAX, where TensorFlow cannot be imported
test-gpu-rehearsal: .venv-jax/ready
	KERAS_BACKEND=jax .venv-jax/bin/python -m benchmarks.gpu --rehearse --out .venv-jax/gpu.json

screenshots: .venv/ready-dev
	$(BIN)/python docs/take_screenshots.py

clean:
	rm -rf .venv .venv-ray .venv-jax mutants

$(READY): requirements.txt constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { rm -rf .venv; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt $(ACCELERATOR)
	@touch $@

.venv/ready-dev: $(READY) requirements-dev.txt requirements-postgres.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@

.venv/ready-mutants: .venv/ready-dev requirements-mutants.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-mutants.txt -c constraints.txt
	@touch $@

.venv-ray/ready: requirements-ray.txt
	@.venv-ray/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv-ray
	.venv-ray/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-ray.txt
	@touch $@

.venv-jax/ready: requirements-jax.txt constraints.txt
	@.venv-jax/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv-jax
	.venv-jax/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-jax.txt -c constraints.txt
	@touch $@
