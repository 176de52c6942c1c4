# Every target works from a bare clone: it makes .venv first. PYTHON=python3.12 make … chooses another interpreter.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
SEED ?=
CONTACT_URL ?=
CONTACT_MAIL ?=
OUT ?= demo-out
TEST_PROCESSES ?= 2

.PHONY: demo test check bench format clean
.DEFAULT_GOAL := demo

# The lock is a closed list (--no-deps); torch alone resolves its own dependencies, because they differ by platform.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: choose one with PYTHON=python3.12 make …")'
	@echo "installing into .venv (a few minutes the first time)"
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(PIP) install --no-deps -r requirements.lock
	@$(PIP) install -c requirements.lock torch==2.13.0
	@$(PIP) install --no-deps --no-build-isolation -e .
	@echo "compiling the extractor (a minute or two)"
	@$(BIN)/python -c 'from dataprep.html.pages import compile_kernels; compile_kernels()'
	@touch $@

demo: .venv/ready
	@$(BIN)/python -m pipelines.demo --out "$(OUT)" $(if $(SEED),--seed-url "$(SEED)") $(if $(CONTACT_URL),--contact-url "$(CONTACT_URL)") $(if $(CONTACT_MAIL),--contact-mail "$(CONTACT_MAIL)")

test: .venv/ready
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal

check: .venv/ready
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: .venv/ready
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: .venv/ready
	@$(BIN)/python -m benchmarks.end_to_end

clean:
	rm -rf .venv demo-out .mypy_cache .ruff_cache .pytest_cache
