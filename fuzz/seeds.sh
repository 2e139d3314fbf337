#!/bin/sh
# Fills fuzz/corpus: the fixtures of the protocols and of the decoder, and the beginnings of the captures in pcaps/.
set -eu
cd "$(dirname "$0")/.."
for target in capture decode pipeline protocol; do mkdir -p "fuzz/corpus/$target"; done
FUZZ_CORPUS="$PWD/fuzz/corpus" cargo test --quiet --lib seeds_for_the_fuzzer -- --ignored
for capture in pcaps/*/*.pcap; do
    name=$(echo "$capture" | tr / -)
    for target in capture pipeline; do head -c 16384 "$capture" >"fuzz/corpus/$target/$name"; done
done
