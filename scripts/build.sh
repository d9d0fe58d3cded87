#!/bin/bash
# Configures build/KIND and builds in it, for each KIND named: all of it, or one file.   build.sh release|asan|fuzz[/FILE]...
set -euo pipefail
cd "$(dirname "$0")/.."

options() {  # options KIND: what `meson setup` is told
  case $1 in
    release) echo "-Dbuildtype=release" ;;
    # not optimised: that compiles three times as fast with sanitizers, and the suites run fast enough
    asan) echo "-Dbuildtype=debug -Db_sanitize=address,undefined -Db_lundef=false" ;;
    fuzz) echo "-Dbuildtype=debug -Doptimization=1 -Db_lundef=false -Dfuzzers=true" ;;
    *)
      echo "build: there is no kind '$1': release, asan or fuzz" >&2
      return 2
      ;;
  esac
}

for word in "$@"; do
  kind=${word%%/*}
  file=${word#"$kind"}
  told=$(options "$kind")
  if [ ! -e "build/$kind/build.ninja" ]; then
    [ "$kind" != fuzz ] || export CXX=clang++-19
    # shellcheck disable=SC2086  # one word an option
    meson setup "build/$kind" $told
  fi
  [ "$word" != fuzz ] || file=/fuzzers
  ninja -C "build/$kind" ${file:+"${file#/}"}
done
