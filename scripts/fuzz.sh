#!/bin/bash
# A storm of mutated packets, then every fuzz target for a while on its own corpus; a find fails the run.
#   fuzz.sh [SECONDS [PACKETS [SEED]]]
# The storm is the malformed suite's program of the build `asan`: PACKETS packets (a million) through every transform, IPv4 and
# IPv6, from a seed that it prints and takes (0: another each time); 0 packets leave it out.
# A target is an executable test/fuzz/fuzz-NAME of the build `fuzz`, made by its target `fuzzers`; test/fuzz/corpus/NAME holds
# the inputs it starts from. New inputs stay in build/fuzz/corpus, finds in build/fuzz/finds.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60} packets=${2:-1000000} seed=${3:-0}

if [ "$packets" != 0 ]; then
  scripts/build.sh asan
  [ "$seed" != 0 ] || seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
  echo "fuzz: a storm of $packets packets, seed $seed"
  build/asan/test/malformed/torii-malformed "$seed" "$packets"
fi
if [ ! -e test/fuzz/meson.build ]; then
  echo "fuzz: there are no fuzz targets"
  exit 0
fi
scripts/build.sh fuzz
mkdir -p build/fuzz/finds
for target in build/fuzz/test/fuzz/fuzz-*; do
  [ -f "$target" ] && [ -x "$target" ] || continue
  name=$(basename "$target" | sed 's/^fuzz-//')
  seeds=test/fuzz/corpus/$name
  mkdir -p "build/fuzz/corpus/$name"
  echo "fuzz: $name for $seconds s"
  "$target" -max_total_time="$seconds" -print_final_stats=1 -verbosity=0 -artifact_prefix="build/fuzz/finds/$name-" \
    "build/fuzz/corpus/$name" $([ ! -d "$seeds" ] || echo "$seeds")
done
