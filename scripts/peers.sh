#!/bin/bash
# Fetches the IKE daemons that the suite `ike` runs inside a Linux guest, into build/peers/NAME: unpacked, never installed, for they
# would take the place of strongSwan and the machine's own ports. What these packages need and the machine has not comes along.
# Does nothing for what is there already. One that cannot be had leaves build/peers/NAME.missing, and its cases are skipped;
# remove that to try again.
#   peers.sh [--clear]     --clear: remove them all first
set -uo pipefail
cd "$(dirname "$0")/.."
[ "${1:-}" != --clear ] || rm -rf build/peers

unpack() {  # unpack FOLDER
  local package
  for package in "$1"/packages/*.deb; do dpkg -x "$package" "$1" || return 1; done
}

needed() {  # needed PACKAGE...: these, and what they want beyond what is installed; fails where apt knows nothing of them
  local plan
  plan=$(apt-get install -s --no-install-recommends "$@" 2>/dev/null) || return 1
  { printf '%s\n' "$@" && awk '$1 == "Inst" {print $2}' <<<"$plan"; } | sort -u
}

fetch() {  # fetch NAME PACKAGE...
  local name=$1 folder=build/peers/$1 list
  shift
  [ ! -e "$folder" ] && [ ! -e "$folder.missing" ] || return 0
  echo "peers: fetching $name"
  rm -rf "$folder.new" && mkdir -p "$folder.new/packages"
  list=$(needed "$@") || { [ "$(id -u)" = 0 ] && apt-get -q update >/dev/null 2>&1 && list=$(needed "$@"); }
  if [ -n "$list" ] && (cd "$folder.new/packages" && apt-get -q download $list >/dev/null 2>&1) && unpack "$folder.new"; then
    apt-cache policy "$1" | awk '/Candidate:/ {print $2}' >"$folder.new/version"
    rm -rf "$folder.new/packages"
    mv "$folder.new" "$folder"
  else
    echo "peers: $name cannot be had here: the cases that need it will be skipped"
    rm -rf "$folder.new"
    touch "$folder.missing"
  fi
}

fetch libreswan libreswan libnss3-tools
fetch openiked openiked
