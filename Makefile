PYTHON ?= python

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup:  ## install the package with its development tools
	$(PYTHON) -m pip install -e ".[dev]"

test:  ## the tests that take minutes at most
	$(PYTHON) -m pytest -n 2 --dist loadfile -m "not slow"

test-slow:  ## all others, among them whole demos
	$(PYTHON) -m pytest -n 2 --dist loadfile -m slow --ignore tests/torture

lint:  ## ruff: rules and format
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format:  ## let ruff mend both
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

# Videos, pictures, frames of other names, folders of any name and of others, long clips, predictions, odd runs, streams.
FILES_OF_USERS = tests/data/test_video.py tests/data_prep/test_penn_action.py tests/data_prep/test_penn_action_labels.py \
	tests/data_prep/test_special_files.py \
	tests/test_odd_paths.py tests/evaluation tests/test_shared_cases.py tests/test_ownership.py tests/test_files.py \
	tests/visualise/test_odd_runs.py tests/visualise/test_serve.py tests/commands/test_streams.py tests/data/test_kept_arrays.py
torture:  ## kills, full disks, malformed inputs, files of users, long runs (40 minutes at most); the report is results/torture/index.html
	rm -f results/torture/report.xml
	-timeout 2400 $(PYTHON) -m pytest tests/torture $(FILES_OF_USERS) -o junit_family=xunit1 --junitxml=results/torture/report.xml
	$(PYTHON) tests/torture/report.py results/torture/report.xml

bench:  ## speed, as ratios to a plain baseline (several minutes, several GB)
	$(PYTHON) benchmarks/step.py
	$(PYTHON) benchmarks/clip.py

claims:  ## train the matched runs behind the published claims and say which hold (no run starts after 90 minutes; again to go on)
	$(PYTHON) experiments/claims.py

models:  ## train the models that come along again (three quarters of an hour)
	$(PYTHON) experiments/ready_models.py

docs:  ## build the documentation as a site into site/; links that lead nowhere are errors (needs the extra [docs])
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict

pictures:  ## make the two moving pictures of the README again (first trains the one demo that does not come along)
	$(PYTHON) experiments/readme_pictures.py

demo:  ## train, evaluate, export and show the first experiment, without a dataset
	$(PYTHON) experiments/run.py --exp analogy_pool3

.PHONY: help setup test test-slow torture lint format bench claims models docs pictures demo
.DEFAULT_GOAL := help
