#!/bin/bash
# Two offices talk through two Torii gateways, on this machine alone, and the wire between the gateways is looked at.
#   demo.sh [--ike] [--stay]   as root; --ike: the gateways negotiate their keys; --stay leaves all up and opens the shell
#                              on gateway tokyo until you leave it
#
#   office tokyo        gateway tokyo                 wire               gateway newyork        office newyork
#   10.0.1.5 -------- 10.0.1.1 | 20.0.0.1 ======= bridge, tcpdump ======= 20.0.0.2 | 10.0.2.1 -------- 10.0.2.5
#
# Each of the five is a network namespace of its own; the gateways' ends of the cables belong to toriid (DPDK af_packet), so
# the kernel has no address there. The gateways run configs/office-vpn/*.conf, or with --ike configs/office-vpn-ike/*.conf, which name the interfaces office0 and wan0;
# only the control sockets are moved to a temporary folder.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

toriid=${TORIID:-build/release/app/toriid}
torii=${TORII:-build/release/cli/torii}
hidden="torii: in clear!"  # 16 octets that fill every ping and may be readable nowhere on the wire
stay= ike= configs=configs/office-vpn
for word in "$@"; do
  case $word in
    --stay) stay=yes ;;
    --ike) ike=--ike configs=configs/office-vpn-ike ;;
    *) echo "demo: there is no $word: --ike, --stay" >&2 && exit 2 ;;
  esac
done

prefix=torii-$$
folder=$(mktemp -d "/tmp/$prefix-XXXXXX")
namespaces=()
declare -A pids=()
started=$(date +%s%N)

step() {
  local ms=$((($(date +%s%N) - started) / 1000000))
  printf '[%3d.%d s] %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*"
}
indent() { sed 's/^/          /'; }
fail() {
  step "FAILED: $*"
  local log
  for log in "$folder"/toriid-*.log; do
    [ ! -s "$log" ] || { echo "--- the last lines of $(basename "$log")" && tail -n 15 "$log"; }
  done
  exit 1
}
inside() {  # inside PLACE COMMAND...
  local place=$1
  shift
  ip netns exec "$prefix-$place" "$@"
}
in_background() {  # in_background NAME PLACE COMMAND...   output goes to NAME.log
  local name=$1 place=$2
  shift 2
  # exec: the pid is the program's own; setsid: a Ctrl-C at the terminal is for this script, which then stops the program
  (exec setsid ip netns exec "$prefix-$place" "$@") >"$folder/$name.log" 2>&1 </dev/null &
  pids[$name]=$!
}
wait_for() {  # wait_for NAME TEXT SECONDS   until NAME.log has TEXT
  local tries=$(($3 * 10))
  until grep -qs "$2" "$folder/$1.log"; do
    kill -0 "${pids[$1]}" 2>/dev/null || fail "$1 ended before it was ready"
    [ $((tries--)) -gt 0 ] || fail "$1 was not ready after $3 s"
    sleep 0.1
  done
}
stop() {  # stop NAME   asks it to end, insists after 5 s; its exit status
  local pid=${pids[$1]} tries=50 status=0
  unset "pids[$1]"
  kill -TERM "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null && [ $((tries--)) -gt 0 ]; do sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null && echo "$1 did not end by itself"
  wait "$pid" 2>/dev/null || status=$?
  return $status
}
clean_up() {
  local name
  trap '' INT TERM
  for name in "${!pids[@]}"; do stop "$name" || true; done
  for name in "${namespaces[@]}"; do ip netns del "$name" || true; done
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

add_namespace() {
  ip netns add "$prefix-$1" || fail "no network namespace can be made: this needs root with CAP_SYS_ADMIN (a container: --privileged)"
  namespaces+=("$prefix-$1")
  inside "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  ip -n "$prefix-$1" link set lo up
}
add_cable() {  # add_cable PLACE INTERFACE PLACE INTERFACE
  ip -n "$prefix-$1" link add "$2" type veth peer name "$4" netns "$prefix-$3"
  ip -n "$prefix-$1" link set "$2" up
  ip -n "$prefix-$3" link set "$4" up
}
add_city() {  # add_city CITY NETWORK OTHER_NETWORK   an office, a gateway, and a place on the wire
  local city=$1 office=office-$1
  add_namespace "$office"
  add_namespace "$city"
  add_cable "$office" eth0 "$city" office0
  add_cable "$city" wan0 wire "$city"
  ip -n "$prefix-wire" link set "$city" master wire
  # The kernel leaves checksums to a network card that is not there; and the tunnel needs room in 1500 octets.
  inside "$office" ethtool -K eth0 tx off >/dev/null
  ip -n "$prefix-$office" link set eth0 mtu 1400
  ip -n "$prefix-$office" addr add "$2.5/24" dev eth0
  ip -n "$prefix-$office" route add "$3.0/24" via "$2.1"
}
start_gateway() {  # start_gateway CITY
  sed "s|socket *= *\"[^\"]*\"|socket = \"$folder/$1.sock\"|" "$configs/$1.conf" >"$folder/$1.conf"
  in_background "toriid-$1" "$1" "$toriid" --config "$folder/$1.conf"
}
show() {  # show CITY WORD...   one-shot command of the CLI
  local city=$1
  shift
  step "gateway $city: torii $*"
  "$torii" --socket "$folder/$city.sock" "$@" 2>&1 | indent || fail "torii $* failed on gateway $city"
}
ping_across() {  # ping_across FROM TO ADDRESS
  step "$1 pings $2 ($3)"
  inside "$1" ping -n -c 3 -i 0.2 -W 2 -p "$(printf %s "$hidden" | od -An -tx1 | tr -d ' \n')" "$3" >"$folder/ping.log" || true
  grep -q '3 received' "$folder/ping.log" || { indent <"$folder/ping.log" && fail "not every ping was answered by $3"; }
  grep -E 'bytes from|packet loss|rtt' "$folder/ping.log" | indent
}

step "five network namespaces, $prefix-*: two offices, two gateways, the wire between them"
add_namespace wire
ip -n "$prefix-wire" link add wire type bridge mcast_snooping 0  # else the bridge itself would speak on the wire
ip -n "$prefix-wire" link set wire up
add_city tokyo 10.0.1 10.0.2
add_city newyork 10.0.2 10.0.1

in_background tcpdump wire tcpdump -i tokyo -n -s 200 -B 16384 -Z root -U -w "$folder/wire.pcap"
wait_for tcpdump 'listening on' 10

if [ "$ike" ]; then
  step "a toriid in each gateway: DPDK af_packet ports, one worker, IKEv2 with a pre-shared key"
  install -m 600 "$configs/psk.txt" "$folder/"
  sed -n '/^ike/,/^}/p' "$configs/tokyo.conf" | indent
else
  step "a toriid in each gateway: DPDK af_packet ports, one worker, keys and policies in setkey's language"
  cp "$configs"/*.setkey "$folder/"
  grep -E '^(add|spdadd)' "$folder/tokyo.setkey" | indent
fi
start_gateway tokyo
start_gateway newyork
wait_for toriid-tokyo '^toriid: ready' 30
wait_for toriid-newyork '^toriid: ready' 30
step "both gateways are ready"

ping_across office-tokyo office-newyork 10.0.2.5
ping_across office-newyork office-tokyo 10.0.1.5
if [ "$ike" ]; then
  step "the first ping waited for the SAs that it asked for; now both get new keys while a ping goes on"
  inside office-tokyo ping -n -c 40 -i 0.02 -W 2 10.0.2.5 >"$folder/rekey.log" &
  rekeyed=$!
  sleep 0.2
  "$torii" --socket "$folder/tokyo.sock" ike rekey newyork/offices | indent
  sleep 0.2
  "$torii" --socket "$folder/tokyo.sock" ike rekey newyork | indent
  wait "$rekeyed" || true
  grep -q '40 received' "$folder/rekey.log" || { indent <"$folder/rekey.log" && fail "a ping was lost while keys changed"; }
  grep 'packet loss' "$folder/rekey.log" | indent
fi

step "3 s of TCP from office tokyo to office newyork (iperf3)"
in_background iperf3-server office-newyork iperf3 -s -1 --forceflush
wait_for iperf3-server 'listening' 5
inside office-tokyo timeout 20 iperf3 -c 10.0.2.5 -t 3 -f m >"$folder/iperf3.log" 2>&1 ||
  { indent <"$folder/iperf3.log" && fail "the TCP stream did not get through"; }
grep -E 'sender|receiver' "$folder/iperf3.log" | indent

step "what the wire between the gateways carried (tcpdump)"
sleep 0.5
stop tcpdump || fail "tcpdump did not end well"
grep 'dropped by kernel' "$folder/tcpdump.log" | indent
/usr/bin/python3 scripts/wire.py "$folder/wire.pcap" 20.0.0.1 20.0.0.2 --hidden "$hidden" $ike >"$folder/wire.txt" ||
  { indent <"$folder/wire.txt" && fail "the wire carried something else than ESP: $(sed -n 's/^wire: //p' "$folder/wire.txt" | head -n 1)"; }
indent <"$folder/wire.txt"
step "${ike:+IKE and }ESP only, in both directions; nothing of the offices can be read"

for city in tokyo newyork; do
  [ ! "$ike" ] || { show "$city" show ike && show "$city" show child; }
  show "$city" show sa
  show "$city" show drops
done

if [ "$stay" ]; then
  step "gateway tokyo is yours: 'help' lists the commands; all goes when you leave"
  cat <<END | indent
more to try, from another terminal:
  ip netns exec $prefix-office-tokyo ping 10.0.2.5
  ip netns exec $prefix-wire tcpdump -ni tokyo
  $torii --socket $folder/newyork.sock show sa
END
  trap : INT  # Ctrl-C belongs to the shell
  "$torii" --socket "$folder/tokyo.sock" || true
fi

step "the gateways stop"
for city in tokyo newyork; do stop "toriid-$city" || fail "toriid of $city did not end well"; done
step "done: office tokyo and office newyork talked, and only ${ike:+IKE and }ESP was seen between their gateways"
