#!/bin/bash
# Runs every fuzz target for a while on its own corpus; a find fails the run.   fuzz.sh [SECONDS]
# A target is an executable test/fuzz/fuzz-NAME of the build `fuzz`, made by its target `fuzzers`; test/fuzz/corpus/NAME holds
# the inputs it starts from. New inputs stay in build/fuzz/corpus, finds in build/fuzz/finds.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}

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
