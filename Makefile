# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The system's Python, not the first one on PATH: modules on localhost run under it, with the distribution's pyroute2.
PYTHON ?= /usr/bin/python3
PYTEST_ARGS ?=
# Handed to ansible-playbook by demo and demo-clean, for example ARGS='--check --diff -e demo_memory=256M'.
ARGS ?=

BUILD := $(CURDIR)/.build
BIN := $(CURDIR)/.venv/bin
LINK := $(BUILD)/link
TREE := $(BUILD)/ansible_collections/hosting/jails
TESTS := ansible_collections.hosting.jails.tests
SUITES := architecture units engine escape faults integration molecule
OWN_MACHINE := tests/integration/engine tests/integration/kernel tests/integration/modules

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup link tree lint lint-python lint-yaml lint-documentation format architecture units sanity \
        root engine escape faults integration molecule bench services checks test suites thorough longer host demo demo-clean build install-collection clean

# Ansible's own files stay in here as well: nothing of a run is left in a home directory.
export ANSIBLE_COLLECTIONS_PATH := $(LINK)
export ANSIBLE_HOME := $(BUILD)/ansible
export ANSIBLE_LOCAL_TEMP := $(BUILD)/ansible/tmp
export ANSIBLE_REMOTE_TMP := $(BUILD)/ansible/tmp
export ANSIBLE_NOCOWS := 1
export ANSIBLE_DISPLAY_SKIPPED_HOSTS := false
export ANSIBLE_CALLBACK_RESULT_FORMAT := yaml
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PATH := $(BIN):$(PATH)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  make %-30s %s\n", $$1, $$2 }' Makefile

## Preparation

$(BIN)/python:
	tools/system-packages python3 python3-venv
	$(PYTHON) -m venv .venv

.venv/controller: tests/requirements-controller.txt meta/ee-requirements.txt | $(BIN)/python
	$(BIN)/pip install --quiet --requirement $<
	@touch $@

.venv/tests: tests/requirements.txt tests/unit/requirements.txt .venv/controller
	$(BIN)/pip install --quiet --requirement $<
	@touch $@

setup: .venv/tests link ## Make the virtual environment that all other targets use

link:
	@mkdir -p $(LINK)/ansible_collections/hosting $(BUILD)/log
	@ln -sfn $(CURDIR) $(LINK)/ansible_collections/hosting/jails

tree:
	@tools/collection-tree $(BUILD)

## Checks

lint: lint-python lint-yaml lint-documentation architecture ## Static checks, all of the following

lint-python: setup ## ruff and mypy
	ruff check .
	ruff format --check .
	cd $(LINK) && mypy --config-file $(CURDIR)/pyproject.toml -p ansible_collections.hosting.jails.plugins

lint-yaml: setup ## yamllint and ansible-lint
	yamllint --strict .
	ansible-lint --offline

lint-documentation: setup ## The modules' and roles' documentation and the changelog
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
	antsibull-changelog lint

format: setup ## Rewrite the Python files in the one format
	ruff check --fix-only .
	ruff format .

architecture: setup ## The direction of imports, the size and the headers of files
	pytest tests/architecture $(PYTEST_ARGS) | tee $(BUILD)/log/$@

units: setup ## Unit tests, which need neither root nor a jail
	pytest tests/unit $(PYTEST_ARGS) | tee $(BUILD)/log/$@

sanity: setup tree ## ansible-test sanity and ansible-test units
	tools/ansible-test $(BUILD) sanity
	tools/ansible-test $(BUILD) units

# Built here, where there is a network.
root: setup host ## The root file system that tests share
	PYTHONPATH=$(LINK) python -c 'from $(TESTS).integration import jails; jails.debian_root()'

engine: root ## Tests of the engine, of what it asks of the kernel, and of the modules, on a machine of their own, as root
	tests/own-machine pytest $(OWN_MACHINE) $(PYTEST_ARGS) | tee $(BUILD)/log/$@

escape: root ## Attempts to get out of jails, on a machine of their own, as root
	tests/own-machine pytest tests/escape $(PYTEST_ARGS) | tee $(BUILD)/log/$@

# FAULTS_EVERY=1 kills at every single step, FAULTS_SECONDS=600 goes on as long with everything at once; both take their time.
faults: root ## Kills and other faults, each on a machine of its own, as root
	pytest tests/faults $(PYTEST_ARGS) --numprocesses 2 | tee $(BUILD)/log/$@

integration: root ## All other tests with real jails: packages, plugins and playbooks, on this machine, as root
	tools/system-packages openssh-client
	pytest tests/integration $(OWN_MACHINE:%=--ignore=%) $(PYTEST_ARGS) | tee $(BUILD)/log/$@

molecule: setup host ## Molecule scenarios, all or SCENARIOS, on this machine and on hosts of their own, as root
	tools/system-packages openssh-client
	tools/scenarios $(BUILD)/log $(SCENARIOS) | tee $(BUILD)/log/$@

bench: setup host ## Measure starting, stopping and entering jails
	tools/system-packages gcc libc6-dev
	pytest tests/bench --capture=no $(PYTEST_ARGS)

checks: lint units sanity build ## All that needs neither root nor a jail

test: setup ## Every check and every test that CI runs; leaves the machine as it was, but for packages
	tools/as-found $(BUILD)/log/as-found $(MAKE) suites

# Side by side, as one computes while another waits. The host is made ready before, and only once: the demo undoes that.
suites: PART = $(MAKE) --keep-going --assume-old=host --assume-old=root
suites: root
	tools/side-by-side $(BUILD)/log '$(PART) integration molecule SCENARIOS="default fleet"' '$(PART) engine escape' '$(PART) checks faults'
	@echo; for suite in $(SUITES); do printf '%-13s %s\n' $$suite "$$(tail -n 1 $(BUILD)/log/$$suite)"; done

services: setup host ## The services of docs/services, each in its jail and used by its own clients
	tools/system-packages openssh-client curl
	pytest tests/services -m thorough $(PYTEST_ARGS)

thorough: setup ## What takes longer: services, fleets over ssh, upgrades, a scenario for each role; likewise
	tools/as-found $(BUILD)/log/as-found $(MAKE) --keep-going services longer molecule

longer: setup host
	tools/system-packages openssh-client
	pytest tests/integration -m thorough $(PYTEST_ARGS)

## Jails on this machine

PLAYBOOK = ansible-playbook --inventory playbooks/inventory/localhost.yml

host: .venv/controller link ## Make this machine a jail host
	$(PLAYBOOK) playbooks/host.yml

demo: .venv/controller link ## Three jails with nginx on this machine, in under three minutes
	$(PLAYBOOK) playbooks/demo.yml $(ARGS)

demo-clean: .venv/controller link ## Remove the three jails and all that came with them
	$(PLAYBOOK) playbooks/demo_clean.yml $(ARGS)

## Distribution

build: setup tree ## Build the collection's archive
	rm -f $(BUILD)/hosting-jails-*.tar.gz
	cd $(TREE) && ansible-galaxy collection build --output-path $(BUILD)

install-collection: build ## Install that archive for the user's own playbooks
	env -u ANSIBLE_COLLECTIONS_PATH -u ANSIBLE_HOME ansible-galaxy collection install --force --offline $(BUILD)/hosting-jails-*.tar.gz

clean: ## Remove the virtual environment and everything that was built
	rm -rf .build .venv .ansible .hypothesis .ruff_cache .mypy_cache .pytest_cache
