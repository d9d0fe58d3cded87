#!/bin/bash
# What a commit must pass. Stops at the first thing that is wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step "format (.clang-format)"
find lib app ike cli test \( -name '*.h' -o -name '*.cc' \) -print0 2>/dev/null | xargs -0 -r clang-format --dry-run -Werror
step "build, warnings as errors"
scripts/build.sh release asan
step "unit tests under sanitizers, and the rules of the house"
scripts/test.sh house unit
step "20,000 mutated packets, and fuzz targets, 60 s each"
scripts/fuzz.sh 60 20000
step "which RFC sections are cited, and where"
/usr/bin/python3 scripts/citations.py
