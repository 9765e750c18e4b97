# andon: `make demo` and `make test` do everything, from a fresh Debian 12 or Ubuntu 22.04+ with Rust.

CARGO ?= cargo
VENV := target/venv
PEERS := ANDON_REQUIRE_PEERS=1 ANDON_PEERS_PYTHON=$(abspath $(VENV)/bin/python)
# Many tests run a whole line in real time, which wants the machine to itself.
ONE := -- --test-threads=1
export ANDON_DATA ?= $(abspath ../shared/data)

# Quick settings for our own crate; what it depends on stays as it was built.
QUICK = CARGO_INCREMENTAL=1 $(CARGO) --config 'profile.release.package.andon.opt-level=1' --config 'profile.release.package.andon.debug=0'

.PHONY: help demo t test faults lint bench setup venv peers emulator compilers headers tensorrt kernels build

help: ## what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: build ## a simulated line, learned and running in under a minute (ARGS="--seconds 60")
	target/release/andon demo $(ARGS)

t: ## the unit tests of one module, soon after an edit: make t M=decide
	$(QUICK) test --release --locked --lib -- $(M)

test: setup venv peers emulator headers tensorrt ## every test: units, real GStreamer, real Zenoh, peers in Python
	$(PEERS) $(CARGO) test --release --locked $(ONE)
	$(CARGO) test --release --locked --no-default-features
	$(PEERS) LD_LIBRARY_PATH=$(abspath target/emulator) $(CARGO) test --release --locked --features opcua,tensorrt --test it -- opcua:: cuda:: stage:: batch:: tensorrt::
	scripts/kernels-race.sh

faults: setup venv peers ## what happens, and how soon, when things break (minutes; ANDON_LOAD=1 for a loaded machine)
	$(PEERS) $(CARGO) test --release --locked --test it -- --ignored --nocapture --test-threads=1 faults::

lint: setup compilers headers ## formatting, clippy with warnings denied, and whether the PTX is what the kernels' sources give
	$(CARGO) fmt --check
	$(CARGO) clippy --release --locked --all-targets -- -D warnings
	$(CARGO) clippy --release --locked --no-default-features --all-targets -- -D warnings
	$(CARGO) clippy --release --locked --features opcua,tensorrt --all-targets -- -D warnings
	$(VENV)/bin/python scripts/kernels.py target/compilers --check

bench: build ## nearest neighbours beside faiss and numpy, the coreset beside anomalib
	$(CARGO) bench --locked

build: setup ## the program, in target/release/andon
	$(CARGO) build --release --locked

setup: ## installs what is missing: GStreamer by apt, ONNX Runtime into target/onnxruntime
	@scripts/setup.sh system onnxruntime

peers: ## what only the tests need: an MQTT broker, by apt
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

venv: ## the tests' Python peers, in target/venv
	@scripts/setup.sh venv
