# The commands of this repository; `make help` lists them.
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
setup: ## install missing packages on this machine, and create .venv
	@tools/setup

.PHONY: setup-browser
setup-browser: setup ## install Chromium (300 MB), which only the long tests and the picture of the report need
	@tools/setup chromium

.PHONY: setup-long
setup-long: setup ## install what only the long tests need: Chromium (300 MB) and Java (200 MB)
	@tools/setup chromium java=default-jre-headless

.PHONY: report-picture
report-picture: setup-browser ## make docs/report.png, the picture of the report in the README
	@$(PYTHON) tools/report_picture.py

.PHONY: demo
demo: lab-up ## set up the overlay on the lab's three hosts, and show leases, routes and pings between containers
	ansible-playbook -i inventories/lab playbooks/site.yml
	@lab/evidence
	@mkdir -p .cache
	ansible-playbook -i inventories/lab playbooks/report.yml -e report_file=$(CURDIR)/.cache/overlay-report.html
	@echo
	@echo "Open a shell on a host: make lab-shell HOST=h1"
	@echo "Remove the lab:         make lab-down"

.PHONY: lab-up
lab-up: setup ## start the lab's hosts; build their image first if it is missing
	@$(LAB) build
	@$(LAB) up

.PHONY: lab-down
lab-down: ## stop the lab and remove everything that it created
	@$(LAB) down

.PHONY: lab-shell
lab-shell: ## open a shell on a host of the lab: make lab-shell HOST=h2
	@$(LAB) shell $(HOST)

.PHONY: lab-status
lab-status: ## show the lab's hosts and their states
	@$(LAB) status

.PHONY: test
test: setup ## run all tests: lint, unit, Python 3.9, sanity, kernel, integration, molecule, labs
	@$(PYTHON) tools/test.py

.PHONY: lint
lint: setup ## run ruff, mypy, yamllint, ansible-lint, shellcheck and antsibull-changelog
	@$(PYTHON) tools/test.py lint

.PHONY: test-unit
test-unit: setup ## run the unit tests, which need no kernel and no etcd
	@$(PYTHON) tools/test.py unit

.PHONY: test-python39
test-python39: setup ## run the agent's unit tests with Python 3.9, in a minimal Debian 11
	@$(PYTHON) tools/test.py python39

.PHONY: test-sanity
test-sanity: setup ## run ansible-test sanity
	@$(PYTHON) tools/test.py sanity

.PHONY: test-kernel
test-kernel: setup ## run the tests with Debian's kernel in a virtual machine: all, or one with T=tests/integration/...
ifdef T
	@PYTHONPATH=lab $(PYTHON) tools/kernel.py $(T)
else
	@$(PYTHON) tools/test.py kernel
endif

.PHONY: test-integration
test-integration: setup ## run the tests with a real etcd, the kernel in network namespaces, and labs; needs root
	@$(PYTHON) tools/test.py integration labs

.PHONY: test-molecule
test-molecule: setup ## run the tests of the roles on the lab's hosts; needs root
	@$(PYTHON) tools/test.py molecule

.PHONY: test-long
test-long: setup-long ## run the long tests of tests/long on labs, in a browser and in ansible-rulebook, which make test leaves out; run them before a release
	@$(PYTHON) tools/test.py long

.PHONY: test-vms
test-vms: setup ## run the tests of the roles on virtual machines, which make test leaves out; needs root, and KVM to be fast
	@$(PYTHON) tools/test.py vms

.PHONY: one
one: setup ## run one test: make one T=tests/unit/...::name
	@$(PYTHON) -m pytest $(or $(T),$(error T is missing; set it to a test: make one T=tests/unit/...::name))

.PHONY: bench
bench: setup ## measure overlayd's times and memory; BENCH="--daemon ..." measures another daemon
	@$(PYTHON) tests/bench/bench.py $(BENCH)

.PHONY: bench-site
bench-site: setup ## measure site.yml on three new hosts: first and second run
	@$(PYTHON) tests/bench/site.py $(BENCH)

.PHONY: bench-change
bench-change: setup ## measure lost pings and stalled TCP streams during a change of the backend or the VNI
	@$(PYTHON) tests/bench/change.py $(BENCH)

.PHONY: bench-data
bench-data: setup ## measure throughput, packets and latency of each backend; BENCH="--backends vxlan,udp"
	@$(PYTHON) tests/bench/data.py $(BENCH)

.PHONY: build
build: ## build the collection's archive in .cache/build; needs git and ansible-core, and installs nothing
	@command -v ansible-galaxy >/dev/null || \
		{ echo "make build: ansible-galaxy is not installed; install ansible-core, or run make setup"; exit 1; }
	@tools/stage .cache/build
	@ansible-galaxy collection build --force --output-path .cache/build .cache/build/ansible_collections/clusternet/overlay

.PHONY: clean
clean: lab-down ## remove everything that these commands created: the lab, its image, .venv and the caches
	@$(LAB) clean
	rm -rf .cache .venv .ansible .mypy_cache .pytest_cache .ruff_cache
