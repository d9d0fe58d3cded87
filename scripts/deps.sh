#!/bin/bash
# Installs what Torii needs and the machine lacks, with apt. When nothing is missing it asks dpkg once and is done.
#   deps.sh [--fuzz]     --fuzz adds the compiler of the fuzzers
#
# Debian 12 carries IPsec-MB 1.3; Torii wants 2.0, which Debian 13 has and which needs nothing newer than Debian 12's libc.
# So on Debian 12 two packages, and no third, come from Debian 13: see ipsec_mb_from_debian_13.
set -euo pipefail
cd "$(dirname "$0")/.."

packages="g++ pkg-config meson ninja-build clang-format
  iproute2 procps ethtool iputils-ping iperf3 tcpdump tshark python3 python3-scapy python3-cryptography user-mode-linux busybox-static cpio
  strongswan-charon strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins
  libdpdk-dev libconfig-dev catch2 zlib1g-dev libssl-dev libedit-dev nlohmann-json3-dev libfmt-dev libspdlog-dev libcli11-dev
  libipsec-mb-dev"
# The suites that use these skip, with the reason, where they cannot be had.
optional=" user-mode-linux tshark strongswan-charon strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins "
[ "${1:-}" = --fuzz ] && packages="$packages clang-19 libclang-rt-19-dev"

next_release=trixie
source_file=/etc/apt/sources.list.d/torii-ipsec-mb.sources
preferences_file=/etc/apt/preferences.d/torii-ipsec-mb
gave_up=build/.ipsec-mb-1.3  # remove it to try for 2.0 again

root=()
[ "$(id -u)" = 0 ] || root=(sudo)
say() { echo "deps: $*"; }
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 "$@"; }

installed() {  # installed PACKAGE
  dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

wants_debian_13() {
  [ "$(. /etc/os-release && echo "$ID $VERSION_ID")" = "debian 12" ] && [ ! -e "$gave_up" ] &&
    ! dpkg --compare-versions "$(dpkg-query -W -f '${Version}' libipsec-mb-dev 2>/dev/null || echo 0)" ge 2.0
}

# Prints the address from which this machine gets Debian 12 itself (not its security or other updates), as apt understood
# its own sources, in whichever form they are written.
archive_address() {
  apt-get indextargets --format '$(RELEASE) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk '($1 == "bookworm" || $2 == "bookworm") && $3 !~ /^(cdrom|file|copy):/ {print $3; exit}'
}

forget_debian_13() { "${root[@]}" rm -f "$source_file" "$preferences_file"; }

write_debian_13() {  # write_debian_13 ADDRESS
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  {
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "$next_release"
    [ ! -e "$keyring" ] || echo "Signed-By: $keyring"
  } | "${root[@]}" tee "$source_file" >/dev/null
  "${root[@]}" tee "$preferences_file" >/dev/null <<END
Package: *
Pin: release n=$next_release
Pin-Priority: -10

Package: libipsec-mb2 libipsec-mb-dev
Pin: release n=$next_release
Pin-Priority: 990
END
}

# True if apt would install these two packages at 2.0 or newer and touch nothing else: no third package, no removal.
simulation_is_clean() {
  local plan
  plan=$(apt-get install -s --no-install-recommends libipsec-mb2 libipsec-mb-dev 2>/dev/null) || return 1
  awk '$1 == "Remv" || $1 == "Purg" {bad = 1}
       $1 == "Inst" {
         version = $3 ~ /^\[/ ? $4 : $3   # an upgrade names the old version first, in brackets
         if (($2 != "libipsec-mb2" && $2 != "libipsec-mb-dev") || version !~ /^\(([2-9]|1[0-9])\./) bad = 1
         else seen++
       }
       END {exit bad || seen == 0}' <<<"$plan"
}

# Leaves the pinned source in place on success; on failure nothing of it remains, and apt is as it was.
ipsec_mb_from_debian_13() {
  local address
  address=$(archive_address)
  [ -n "$address" ] || return 1
  trap 'forget_debian_13; exit 1' INT TERM
  write_debian_13 "$address"
  if apt update && simulation_is_clean && apt install -y --no-install-recommends libipsec-mb2 libipsec-mb-dev; then
    trap - INT TERM
    return 0
  fi
  trap - INT TERM
  forget_debian_13
  return 1
}

install_missing() {
  local missing=() package
  for package in $packages; do
    installed "$package" && continue
    if [[ $optional == *" $package "* ]] && ! apt-cache show "$package" >/dev/null 2>&1; then
      say "this machine's sources have no $package: the suites that need it will be skipped"
      mkdir -p build && touch "build/.without-$package"
    else
      missing+=("$package")
    fi
  done
  [ ${#missing[@]} = 0 ] || apt install -y --no-install-recommends "${missing[@]}"
  # The tests start strongSwan themselves, and Debian's service would take the machine's own ports 500 and 4500.
  if [[ " ${missing[*]-} " == *" strongswan-charon "* ]] && [ -d /run/systemd/system ]; then
    "${root[@]}" systemctl disable --now strongswan-starter
  fi
}

anything_missing() {
  local package
  for package in $packages; do
    [[ $optional == *" $package "* ]] && [ -e "build/.without-$package" ] && continue
    installed "$package" || return 0
  done
  return 1
}

tell_about_hugepages() {
  [ "$(awk '/^HugePages_Total/ {print $2}' /proc/meminfo)" != 0 ] ||
    say "no hugepages: Torii runs without; to have 512 MB of them: echo 256 | sudo tee /proc/sys/vm/nr_hugepages"
}

if wants_debian_13; then
  say "IPsec-MB 2.0 comes from Debian 13: two packages, pinned"
  if ! ipsec_mb_from_debian_13; then
    say "warning: IPsec-MB 2.0 cannot be had here; building against Debian 12's 1.3 (slower AES-GCM on some CPUs)"
    mkdir -p build && touch "$gave_up"
    apt update
  fi
  install_missing
elif anything_missing; then
  say "installing what is missing"
  apt update
  install_missing
fi
tell_about_hugepages
