# Shortcuts for machines with make; README.md and docs/ have the plain commands beside them.
# Both work on a machine that has only Python 3.11 to 3.13 and make; the environment is made once, in .venv.
PYTHON ?= python3
BIN := .venv/bin
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test lint notebooks screenshots requirements clean

run: .venv/run.done
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dsgo demo

test: .venv/test.done
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest

lint: .venv/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The environment counts as made only once everything is in it; a changed requirements file brings it up to date.
.venv/run.done: requirements.txt pyproject.toml
	$(call install,-r requirements.txt)
	touch $@

.venv/test.done: .venv/run.done requirements-dev.txt
	$(call install,-r requirements.txt -r requirements-dev.txt)
	touch $@

# Pictures for README and chapters, in docs/; `make run` must be up in another terminal, and a sweep of rf finished (chapter 4).
screenshots: export MLFLOW_TRACKING_URI ?= http://127.0.0.1:5000
screenshots: .venv/test.done
	$(BIN)/python docs/screenshots.py --out docs
	$(BIN)/python docs/screenshots_mlflow.py --out docs

# Every notebook, executed copies in build/notebooks/; `make run` must be up in another terminal.
notebooks: export MLFLOW_TRACKING_URI ?= http://127.0.0.1:5000
notebooks: .venv/run.done
	$(BIN)/python notebooks/run_all.py

define install
	if command -v uv >/dev/null; then \
		{ test -d .venv || uv venv --python $(PYTHON) .venv; } && uv pip install --compile-bytecode --python $(BIN)/python $(1); \
	else \
		{ test -d .venv || $(PYTHON) -m venv .venv; } && $(BIN)/python -m pip install --progress-bar off $(1); \
	fi
endef

# Pins everything anew from pyproject.toml (needs uv). Steps get the same versions as the whole.
COMPILE = uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate \
	--custom-compile-command "make requirements (uv pip compile --universal --python-version 3.11)" $(UPGRADE)
requirements:
	echo "-e ." | $(COMPILE) - -o requirements.txt
	mkdir -p build && grep -v "^-e" requirements.txt >build/pins.txt
	$(COMPILE) --group dev -c build/pins.txt -o requirements-dev.txt
	for step in process_data lr rf gbm kernel keras_nn blend report forecast; do $(COMPILE) --group $$step -c build/pins.txt -o $$step/requirements.txt; done

clean:
	rm -rf .venv build *.egg-info
