#!/usr/bin/env bash
# Runs every kernel with real threads under ThreadSanitizer: what no barrier orders is a race. Then takes barriers out, one at a
# time, and fails if that is not found.
set -euo pipefail
cd "$(dirname "$0")/.."
out=target/race
mkdir -p "$out"
# A kernel without a barrier may never end.
export TSAN_OPTIONS=halt_on_error=1

build() { # FOLDER OUTPUT
    g++ -std=c++20 -O1 -g -fsanitize=thread -ffp-contract=off -DANDON_HOST -DANDON_THREADS -I"$1" "$1/host/race.cpp" -o "$2"
}

build kernels "$out/race"
"$out/race" >"$out/log" 2>&1 || { head -30 "$out/log" >&2; echo "race: a kernel has a race" >&2; exit 1; }
echo "race: none in kernels/"

# FILE:NUMBER of the barrier in it that is taken out. The one at the end of a tile's turn in nearest.cu, the one between writing and
# reading the tile in aggregate.cu, the one before the sums are added in gauss.cu, the ones at
# the end of a tile's turn and before the products are read in matrix.cu.
for place in nearest.cu:2 aggregate.cu:1 gauss.cu:2 matrix.cu:2 matrix.cu:3; do
    file=${place%:*} number=${place#*:}
    rm -rf "$out/less"
    cp -r kernels "$out/less"
    awk -v n="$number" '/__syncthreads\(\);/ && ++seen == n { sub(/__syncthreads\(\);/, "") } { print }' "kernels/$file" >"$out/less/$file"
    cmp -s "kernels/$file" "$out/less/$file" && { echo "race: $place is no barrier" >&2; exit 1; }
    build "$out/less" "$out/less-race"
    if "$out/less-race" >"$out/log" 2>&1; then
        echo "race: barrier $place is gone and nothing was found" >&2
        exit 1
    fi
    echo "race: without barrier $place: $(grep -m1 -o "[a-z]*\.cu:[0-9]*" "$out/log")"
done
