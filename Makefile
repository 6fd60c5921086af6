# One command for each habit; `make help` lists them.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON := .venv/bin/python
LAB := lab/lab
HOST ?= h1
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what is missing on this machine, and fill .venv
	@tools/setup

.PHONY: demo
demo: lab-up ## three hosts, one network: containers that reach each other, with the evidence
	ansible-playbook -i inventories/lab playbooks/site.yml
	@lab/evidence
	@echo
	@echo "Look around:  make lab-shell HOST=h1"
	@echo "Take it down: make lab-down"

.PHONY: lab-up
lab-up: setup ## start the lab's hosts, building their image first where there is none
	@$(LAB) build
	@$(LAB) up

.PHONY: lab-down
lab-down: ## stop the lab and remove all it made
	@$(LAB) down

.PHONY: lab-shell
lab-shell: ## a shell on a host of the lab: make lab-shell HOST=h2
	@$(LAB) shell $(HOST)

.PHONY: lab-status
lab-status: ## which hosts the lab has and how they do
	@$(LAB) status

.PHONY: test
test: setup ## every test there is: lint, unit, sanity, integration, molecule
	@$(PYTHON) tools/test.py

.PHONY: lint
lint: setup ## ruff, mypy, yamllint, ansible-lint, shellcheck, the changelog's own
	@$(PYTHON) tools/test.py lint

.PHONY: test-unit
test-unit: setup ## the rules, without a kernel or an etcd
	@$(PYTHON) tools/test.py unit

.PHONY: test-python39
test-python39: setup ## the unit tests of the agent with Python 3.9, in a minimal Debian 11
	@$(PYTHON) tools/test.py python39

.PHONY: test-sanity
test-sanity: setup ## all of ansible-test sanity
	@$(PYTHON) tools/test.py sanity

.PHONY: test-integration
test-integration: setup ## against a real etcd, and the kernel in network namespaces
	@$(PYTHON) tools/test.py integration

.PHONY: test-molecule
test-molecule: setup ## the roles on real hosts, broken and mended
	@$(PYTHON) tools/test.py molecule

.PHONY: one
one: setup ## one test: make one T=tests/unit/...::name
	@$(PYTHON) -m pytest $(or $(T),$(error name the test: make one T=tests/unit/...::name))

.PHONY: bench
bench: setup ## how fast overlayd is, and how much memory it takes; BENCH="--daemon ..." for another
	@$(PYTHON) tests/bench/bench.py $(BENCH)

.PHONY: bench-site
bench-site: setup ## how long site.yml takes on three fresh hosts, and again
	@$(PYTHON) tests/bench/site.py $(BENCH)

.PHONY: bench-change
bench-change: setup ## what containers notice of a changed backend or VNI: lost pings, stalled streams
	@$(PYTHON) tests/bench/change.py $(BENCH)

.PHONY: build
build: setup ## the collection as an archive, in .cache/build
	@tools/stage .cache/build
	@ansible-galaxy collection build --force --output-path .cache/build .cache/build/ansible_collections/clusternet/overlay

.PHONY: clean
clean: lab-down ## remove all that these commands made: the lab, the image of its hosts, .venv and the caches
	@$(LAB) clean
	rm -rf .cache .venv .ansible .mypy_cache .pytest_cache .ruff_cache
