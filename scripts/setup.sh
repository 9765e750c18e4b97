#!/usr/bin/env bash
# Installs what andon needs and says what it does. Quick when nothing is missing. Used by the Makefile.
#   scripts/setup.sh system        Debian packages for GStreamer (apt-get, with sudo unless root)
#   scripts/setup.sh onnxruntime   ONNX Runtime's shared library into target/onnxruntime
#   scripts/setup.sh venv          Python peers of the tests into target/venv
#   scripts/setup.sh peers         Debian packages that only the tests need (an MQTT broker, g++, systemd-analyze, a browser)
#   scripts/setup.sh emulator      a libcuda.so that runs the kernels on the CPU, for the tests, into target/emulator
#   scripts/setup.sh headers       TensorRT's headers into target/tensorrt, to build with --features tensorrt where none is installed
#   scripts/setup.sh tensorrt      TensorRT-RTX's libraries from PyPI into target/tensorrt (146 MB), for the tests
#   scripts/setup.sh compilers     NVIDIA's compilers from PyPI into target/compilers, for whoever changes a kernel
set -euo pipefail
cd "$(dirname "$0")/.."

# The library comes out of the wheel on PyPI; which CPython the wheel is for does not matter.
ORT_VERSION=1.32.0
ORT_SHA256_x86_64=99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8
ORT_SHA256_aarch64=e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054
ORT_DIR=target/onnxruntime
VENV=target/venv
RUST_MINOR=95
TENSORRT_CRATES="0.5.0 0.9.1+rtx1.7"
TENSORRT_HEADERS_SHA256=81d7c07ab8580708cad68eae0e8799db260cdfc392aae2e179bb0e2e0cfe0eb4
TENSORRT_RTX_VERSION=0.5.0
TENSORRT_RTX_SHA256=32f575c633d171b4edf4b53d3bb22b72a6c9c0a850d2982ce9a788a5d40d3298

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

check_rust() {
    command -v cargo >/dev/null || fail "cargo is missing; install Rust from https://rustup.rs, then run this again"
    local minor
    minor=$(rustc --version | sed -E 's/^rustc 1\.([0-9]+).*/\1/')
    [ "$minor" -ge "$RUST_MINOR" ] 2>/dev/null || fail "$(rustc --version) is too old; andon needs 1.$RUST_MINOR: rustup update"
}

# Package and the file or command that shows that it is there, so that a machine without dpkg's records works too.
missing_packages() {
    have() { command -v "$1" >/dev/null 2>&1; }
    element() { gst-inspect-1.0 --exists "$1" 2>/dev/null; }
    have cc || echo build-essential
    have pkg-config || echo pkg-config
    if ! pkg-config --exists gstreamer-1.0 2>/dev/null; then echo libgstreamer1.0-dev; fi
    if ! pkg-config --exists gstreamer-app-1.0 gstreamer-video-1.0 2>/dev/null; then echo libgstreamer-plugins-base1.0-dev; fi
    have gst-inspect-1.0 || echo gstreamer1.0-tools
    element videotestsrc || echo gstreamer1.0-plugins-base
    element jpegdec || echo gstreamer1.0-plugins-good
    have unzip || echo unzip
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

setup_system() {
    check_rust
    install "$(missing_packages | sort -u | tr '\n' ' ')"
}

setup_peers() {
    local packages=""
    [ -x /usr/sbin/mosquitto ] || packages="mosquitto"
    command -v mosquitto_sub >/dev/null || packages="$packages mosquitto-clients"
    command -v openssl >/dev/null || packages="$packages openssl"
    command -v g++ >/dev/null || packages="$packages g++"
    command -v systemd-analyze >/dev/null || packages="$packages systemd"
    command -v chromium >/dev/null || command -v google-chrome >/dev/null || packages="$packages chromium"
    install "$packages"
}

# Debian packages, if any are named.
install() {
    local packages=$1
    [ -n "${packages// /}" ] || return 0
    command -v apt-get >/dev/null || fail "apt-get is missing; install by hand what these Debian packages hold: $packages"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "not root and no sudo; as root, run: apt-get install $packages"
        as_root=(sudo)
    fi
    say "installing Debian packages: $packages"
    "${as_root[@]}" apt-get update -qq
    # shellcheck disable=SC2086 # one word a package
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
}

# A Python with pip that is ours, so that the system's stays as it is.
python() {
    if [ ! -x "$VENV/bin/python" ]; then
        say "making a Python environment in $VENV"
        rm -rf "$VENV"
        python3 -m venv "$VENV"
    fi
}

setup_onnxruntime() {
    local arch sha stamp
    arch=$(uname -m)
    case $arch in
        x86_64) sha=$ORT_SHA256_x86_64 ;;
        aarch64) sha=$ORT_SHA256_aarch64 ;;
        *) say "no ONNX Runtime for $arch; the compiled-in engine rten will be used"; return 0 ;;
    esac
    stamp=$ORT_DIR/version-$ORT_VERSION-$arch
    [ -e "$stamp" ] && return 0
    python
    say "fetching ONNX Runtime $ORT_VERSION for $arch from PyPI (28 MB)"
    local work
    mkdir -p target
    work=$(mktemp -d target/onnxruntime.XXXXXX)
    # Expanded now: the variable is gone when the trap runs.
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    "$VENV/bin/python" -m pip --disable-pip-version-check -q download "onnxruntime==$ORT_VERSION" --no-deps \
        --only-binary=:all: --platform "manylinux_2_28_$arch" --python-version 3.12 --implementation cp --abi cp312 \
        -d "$work/wheel" || fail "cannot fetch ONNX Runtime; without it andon works with the slower engine rten: cargo build --release"
    echo "$sha  $(echo "$work"/wheel/*.whl)" | sha256sum -c --quiet || fail "the ONNX Runtime wheel has another sha256 than pinned"
    unzip -qj "$work"/wheel/*.whl "onnxruntime/capi/libonnxruntime.so.$ORT_VERSION" onnxruntime/LICENSE \
        onnxruntime/ThirdPartyNotices.txt -d "$work/out"
    mv "$work/out/libonnxruntime.so.$ORT_VERSION" "$work/out/libonnxruntime.so"
    touch "$work/out/$(basename "$stamp")"
    rm -rf "$ORT_DIR"
    mv "$work/out" "$ORT_DIR"
}

setup_venv() {
    local stamp
    stamp=$VENV/peers-$(cat tests/peers/requirements.txt .config/requirements.txt | sha256sum | cut -c1-16)
    [ -e "$stamp" ] && return 0
    python
    say "installing the tests' Python peers and the developer's tools into $VENV"
    "$VENV/bin/python" -m pip --disable-pip-version-check -q install -r tests/peers/requirements.txt -r .config/requirements.txt
    touch "$stamp"
}

setup_emulator() {
    local library=target/emulator/libcuda.so
    [ -z "$(find kernels -newer "$library" -print -quit 2>&1)" ] && return 0
    say "building the kernels for the CPU into $library"
    mkdir -p target/emulator
    g++ -std=c++20 -O2 -Wall -Wextra -Wno-unused-parameter -shared -fPIC -ffp-contract=off -DANDON_HOST -Ikernels \
        kernels/host/libcuda.cpp -o "$library.new"
    g++ -std=c++20 -O2 -Wall -Wextra -Wno-unused-parameter -shared -fPIC kernels/host/libnvml.cpp -o target/emulator/libnvidia-ml.so.1
    mv "$library.new" "$library"
}

# Three generations beside each other: their packages would overwrite one another in one folder.
setup_compilers() {
    local version stamp
    setup_venv
    for version in 11 12 13; do
        stamp=target/compilers/cu$version/stamp-$(sha256sum kernels/requirements-$version.txt | cut -c1-16)
        [ -e "$stamp" ] && continue
        say "installing NVIDIA's compilers of CUDA $version into target/compilers (they stay there; nothing of them is shipped)"
        rm -rf "target/compilers/cu$version"
        "$VENV/bin/python" -m pip --disable-pip-version-check -q install --no-deps --target "target/compilers/cu$version" \
            -r "kernels/requirements-$version.txt"
        touch "$stamp"
    done
}

# Out of two versions of a crate on crates.io that carries them, each by a package that depends on it and is never built. They stay in target/.
setup_headers() {
    local stamp=target/tensorrt/headers/$TENSORRT_HEADERS_SHA256 work version crate folder sha
    [ -e "$stamp" ] && return 0
    say "fetching TensorRT's headers from crates.io into target/tensorrt/headers"
    mkdir -p target/tensorrt
    work=$(mktemp -d target/tensorrt/fetch.XXXXXX)
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    mkdir "$work/out"
    for version in $TENSORRT_CRATES; do
        mkdir "$work/$version"
        printf '[package]\nname = "headers"\nversion = "0.0.0"\nedition = "2024"\n[lib]\npath = "none.rs"\n[workspace]\n' >"$work/$version/Cargo.toml"
        printf '[dependencies]\ntrtx-sys = { version = "=%s", default-features = false }\n' "$version" >>"$work/$version/Cargo.toml"
        touch "$work/$version/none.rs"
        cargo fetch -q --manifest-path "$work/$version/Cargo.toml" || fail "cannot fetch trtx-sys; or install libnvinfer-headers-dev"
        crate=$(cargo metadata --offline --format-version 1 --manifest-path "$work/$version/Cargo.toml" |
            python3 -c 'import json, os, sys
print(next(os.path.dirname(p["manifest_path"]) for p in json.load(sys.stdin)["packages"] if p["name"] == "trtx-sys"))')
        for folder in TRT-Enterprise-10.16:10 TRT-Enterprise-11.4:11 TRT-RTX-1.7:rtx; do
            [ ! -d "$crate/TensorRT-Headers/${folder%:*}" ] || cp -r "$crate/TensorRT-Headers/${folder%:*}" "$work/out/${folder#*:}"
        done
    done
    sha=$(cd "$work/out" && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-64)
    [ "$sha" = "$TENSORRT_HEADERS_SHA256" ] || fail "TensorRT's headers have the sha256 $sha, another than pinned"
    touch "$work/out/$sha"
    rm -rf target/tensorrt/headers
    mv "$work/out" target/tensorrt/headers
}

# NVIDIA's licence lets them be used, not passed on: they stay in target/.
setup_tensorrt() {
    local stamp=target/tensorrt/rtx/stamp-$TENSORRT_RTX_VERSION work
    [ "$(uname -m)" = x86_64 ] || { say "no TensorRT-RTX for $(uname -m): its tests are skipped"; return 0; }
    [ -e "$stamp" ] && return 0
    python
    say "fetching TensorRT-RTX from PyPI into target/tensorrt/rtx (146 MB)"
    mkdir -p target/tensorrt
    work=$(mktemp -d target/tensorrt/fetch.XXXXXX)
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    "$VENV/bin/python" -m pip --disable-pip-version-check -q download --no-deps --only-binary=:all: -d "$work/wheel" \
        "onnxruntime-ep-nv-tensorrt-rtx-cu13==$TENSORRT_RTX_VERSION" || fail "cannot fetch TensorRT-RTX"
    echo "$TENSORRT_RTX_SHA256  $(echo "$work"/wheel/*.whl)" | sha256sum -c --quiet || fail "TensorRT-RTX has another sha256 than pinned"
    unzip -qj "$work"/wheel/*.whl '*/libtensorrt_rtx.so*' '*/libtensorrt_onnxparser_rtx.so*' '*/Acknowledgements.txt' -d "$work/out"
    touch "$work/out/$(basename "$stamp")"
    rm -rf target/tensorrt/rtx
    mv "$work/out" target/tensorrt/rtx
}

for step in "$@"; do
    case $step in
        system) setup_system ;;
        onnxruntime) setup_onnxruntime ;;
        venv) setup_venv ;;
        peers) setup_peers ;;
        emulator) setup_emulator ;;
        compilers) setup_compilers ;;
        headers) setup_headers ;;
        tensorrt) setup_tensorrt ;;
        *) fail "no step $step; there are: system onnxruntime venv peers emulator compilers headers tensorrt" ;;
    esac
done
