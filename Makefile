# Kiln: the commands a person types. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build install package test demo check format fuzz tidy bench clean

export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc)
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= 1
STEP = @printf '\n==> %s\n'

help: ## list these commands
	@echo 'Kiln. Commands:'
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## install all dependencies (scripts/dependencies.txt)
	@scripts/setup.sh

build: setup ## build/release: bin/kiln, bin/trtexec, lib/, include/
	$(STEP) 'building Kiln into build/release'
	@scripts/build.sh release all
	@ln -sfn ../../include build/release/include

PREFIX ?= /usr/local
install: build ## into PREFIX (/usr/local): program, libraries, headers, man page, completion
	$(STEP) 'installing into $(PREFIX)'
	@cmake --install build/release --prefix '$(PREFIX)' --strip

package: build ## build/release/packages: .deb and .tar.gz, whole and of the run side alone
	$(STEP) 'packages'
	@scripts/package.sh

test: setup ## checks, tests, sanitizers: all that CI runs, same verdict each time
	@scripts/test.sh

demo: build ## from ONNX to tuned engines: trained digits and ResNet-50
	$(STEP) 'the demonstration'
	@scripts/demo.sh

check: setup ## layers, sizes, texts and format of the tree; seconds
	@scripts/check.sh

format: setup ## give all C++ files the shape of .clang-format
	@scripts/check_format.py --fix

fuzz: setup ## explore: each fuzzer for 30 s (scripts/fuzz.sh: longer)
	@scripts/fuzz.sh 30

tidy: setup ## clang-tidy over all C++ files; slow the first time
	@scripts/build.sh release all tests
	@scripts/check_tidy.py --all

bench: build ## time tuned engines of the networks in models/
	$(STEP) 'timing'
	@scripts/bench.sh

clean: ## remove build/; the environment .venv and ccache stay
	rm -rf build
