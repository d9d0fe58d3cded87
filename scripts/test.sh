#!/bin/bash
# Builds what the named suites need (all of them when none is named) and runs them.   test.sh [NAME...]
set -euo pipefail
cd "$(dirname "$0")/.."
root=()
[ "$(id -u)" = 0 ] || root=(sudo)

kinds=$(/usr/bin/python3 test/suites.py --kinds "$@")
[ -z "$kinds" ] || scripts/build.sh $kinds
[ $# != 0 ] && [[ " $* " != *" ike "* ]] || scripts/peers.sh  # the other makes' daemons, for the suite `ike` alone
exec "${root[@]}" /usr/bin/python3 test/suites.py "$@"
