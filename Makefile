# andon: `make demo` and `make test` do everything, from a fresh Debian 12 or Ubuntu 22.04+ with Rust.

CARGO ?= cargo
VENV := target/venv
NEXTEST := $(CARGO) nextest run --release --locked --config-file .config/nextest.toml
PEERS := ANDON_REQUIRE_PEERS=1 ANDON_PEERS_PYTHON=$(abspath $(VENV)/bin/python)
# Everything that can be built in, and the tests that want a GPU: they get one in software.
ALL := opcua,tensorrt
ON_GPU := package(andon-gpu) | (binary(it) & test(/^(cuda|stage|batch|tensorrt)::/))
export PATH := $(abspath $(VENV)/bin):$(PATH)
export ANDON_DATA ?= $(abspath ../shared/data)

# Quick settings for our own crates; what they depend on stays as it was built.
OWN := andon $(notdir $(wildcard crates/*))
QUICK = CARGO_INCREMENTAL=1 $(CARGO) $(foreach c,$(OWN),--config profile.release.package.$(c).opt-level=1 --config profile.release.package.$(c).debug=0)
# The crate that has a module of this name.
CRATE = $(or $(shell find crates -path '*/src/*' \( -name '$(lastword $(subst ::, ,$(M)))' -o -name '$(lastword $(subst ::, ,$(M))).rs' \) | head -1 | cut -d/ -f2),andon)

# What that crate needs to have all of its tests.
FEATURES = $(if $(filter andon-io,$(CRATE)),--features gst$(,)zenoh$(,)gpio$(,)modbus$(,)mqtt$(,)store$(,)webhook,$(if $(filter andon-vision,$(CRATE)),--features ort$(,)rten,$(if $(filter andon-service,$(CRATE)),--features page)))
, := ,

.PHONY: help demo t test features faults lint bench setup venv peers emulator compilers headers tensorrt kernels build

help: ## what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: build ## a simulated line, learned and running in under a minute (ARGS="--seconds 60")
	target/release/andon demo $(ARGS)

t: ## the unit tests of one module, soon after an edit: make t M=decide
	$(QUICK) test --release --locked -p $(CRATE) $(FEATURES) --lib -- $(M)

test: setup venv peers emulator headers tensorrt ## every test: units, real GStreamer, real Zenoh, peers in Python
	$(PEERS) $(NEXTEST) --workspace --features $(ALL) -E 'not ($(ON_GPU))'
	$(PEERS) LD_LIBRARY_PATH=$(abspath target/emulator) $(NEXTEST) --workspace --features $(ALL) -E '$(ON_GPU)'
	$(NEXTEST) --no-default-features
	scripts/kernels-race.sh

features: venv ## whether every feature of every crate compiles by itself (minutes)
	$(CARGO) hack check --release --locked --workspace --each-feature --exclude-no-default-features

faults: setup venv peers ## what happens, and how soon, when things break (minutes; ANDON_LOAD=1 for a loaded machine)
	$(PEERS) $(CARGO) test --release --locked --test it -- --ignored --nocapture --test-threads=1 faults::

lint: setup venv compilers headers ## formatting, spelling, licences, clippy with warnings denied, and whether the PTX is what the kernels give
	$(CARGO) fmt --all --check
	typos --config .config/typos.toml
	$(CARGO) deny --config .config/deny.toml --locked check licenses bans sources
	$(CARGO) clippy --release --locked --workspace --features $(ALL) --all-targets -- -D warnings
	$(CARGO) clippy --release --locked --workspace --no-default-features --all-targets -- -D warnings
	$(VENV)/bin/python scripts/kernels.py target/compilers --check

bench: build ## nearest neighbours beside faiss and numpy, the coreset beside anomalib
	$(CARGO) bench --locked

build: setup ## the program, in target/release/andon
	$(CARGO) build --release --locked

setup: ## installs what is missing: GStreamer by apt, ONNX Runtime into target/onnxruntime
	@scripts/setup.sh system onnxruntime

peers: ## what only the tests need: an MQTT broker, a browser, by apt
	@scripts/setup.sh peers

emulator: peers ## the kernels for the CPU, behind the driver's interface, in target/emulator
	@scripts/setup.sh emulator

compilers: ## NVIDIA's compilers from PyPI, in target/compilers
	@scripts/setup.sh compilers

headers: ## TensorRT's headers, in target/tensorrt, to build with --features tensorrt
	@scripts/setup.sh headers

tensorrt: venv ## TensorRT-RTX from PyPI, in target/tensorrt, for the tests
	@scripts/setup.sh tensorrt

kernels: compilers ## kernels/prebuilt/andon.ptx anew, proved with ptxas for every card
	$(VENV)/bin/python scripts/kernels.py target/compilers

venv: ## the tests' Python peers and the developer's tools (nextest, hack, deny, typos), in target/venv
	@scripts/setup.sh venv
