# Part of the daemon suite: the program setkey against a real toriid, how the gateway starts at boot, and what it does not
# do before it has its policy. Sourced by run, with no toriid running.
export TORII_SOCKET=$folder/toriid.sock
PATH=$TORII_BUILD/cli:$PATH
end() {  # ends the toriid of start()
  kill -TERM $toriid_pid && wait $toriid_pid
  toriid_pid=
}
answers() {  # whether the gateway answers one ping
  ip netns exec "$neighbour" ping -n -q -c 1 -W 1 20.0.0.1 >/dev/null 2>&1
}

keys '# empty'
ipsec='legacy = true;' start
cat >"$folder/faq" <<'END'
#! /bin/sh
#
# packet will look like this: IPv4 AH ESP payload
# the node is on 10.1.1.1, peer is on 20.1.1.1
setkey -c <<EOF
add 10.1.1.1 20.1.1.1 esp 9876 -E 3des-cbc "hogehogehogehogehogehoge";
add 20.1.1.1 10.1.1.1 esp 10000 -E 3des-cbc 0xdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef;
add 10.1.1.1 20.1.1.1 ah 9877 -A hmac-md5 "hogehogehogehoge";
add 20.1.1.1 10.1.1.1 ah 10001 -A hmac-md5 "mogamogamogamoga";
spdadd 10.1.1.1 20.1.1.1 any -P out ipsec esp/transport//use ah/transport//use;
EOF
END
chmod +x "$folder/faq"
dumped='10.1.1.1 20.1.1.1 
	esp mode=any spi=9876(0x00002694) reqid=0(0x00000000)
	E: 3des-cbc  686f6765 686f6765 686f6765 686f6765 686f6765 686f6765
	seq=0x00000000 replay=0 flags=0x00000040 state=mature '
policies='10.1.1.1[any] 20.1.1.1[any] 255(reserved)
	out ipsec
	esp/transport//use
	ah/transport//use
	spid=1 seq=0 pid='
result "a script of the FAQ runs unchanged, and setkey -D and -DP print what it made" \
  "${why:-$("$folder/faq" >"$folder/said" 2>&1 || cat "$folder/said"
     [ "$(setkey -D | head -n 4)" = "$dumped" ] || setkey -D
     [ "$(setkey -D | grep -c state=mature)" = 4 ] || echo 'there are not four SAs'
     [ "$(setkey -DP | head -c ${#policies})" = "$policies" ] || setkey -DP)}"
result "setkey -F and -FP empty the databases, which then say so with status 0" \
  "$(setkey -F && setkey -FP || echo failed; [ "$(setkey -D)" = 'No SAD entries.' ] || setkey -D; [ "$(setkey -DP)" = 'No SPD entries.' ] || setkey -DP)"
result "setkey -n reads and judges statements and does nothing" \
  "$(setkey -nc <<<'add 10.1.1.1 20.1.1.1 esp 300 -E null -A hmac-sha1 "20-octets-of-the-key";' || echo refused; [ "$(setkey -D)" = 'No SAD entries.' ] || setkey -D
     told=$(setkey -nc 2>&1 <<<'add 10.1.1.1 20.1.1.1 esp 300;') && echo 'not refused'; grep -q '^setkey: stdin:1: ' <<<"$told" || echo "$told"
     told=$(setkey -nc 2>&1 <<<'add 10.1.1.1 20.1.1.1 esp 300 -E null;') && echo 'not refused'; grep -q 'protects nothing' <<<"$told" || echo "$told")"
result "a policy with a tag is warned of until a rule of the filter gives it, and printed as KAME does" \
  "$(told=$(setkey -c 2>&1 <<<'spdadd tagged "mail" -P out none;') || echo refused
     [ "$told" = 'setkey: warning: stdin:1: no rule of the packet filter gives the tag "mail": this policy meets no packet' ] || echo "$told"
     [ "$(setkey -DP | head -n 1)" = 'tagged "mail" ' ] || setkey -DP
     torii filter add wire pass in on wan proto tcp from any to any port 25 tag mail >"$folder/said" || cat "$folder/said"
     told=$(setkey -c 2>&1 <<<'spdupdate tagged "mail" -P out none;') || echo refused; [ -z "$told" ] || echo "$told"
     torii show policy | grep -q 'tagged "mail"' || torii show policy
     setkey -c <<<'spddelete tagged "mail" -P out;' || echo 'not deleted'; torii filter flush wire >/dev/null)"
result "setkey looks host names up, and adds an SA for each pair of their addresses" \
  "$(setkey -vc <<<'add -4 localhost 20.1.1.1 esp 301 -E null -A hmac-sha1 "20-octets-of-the-key";' >"$folder/said" 2>&1; grep -q '^stdin:1: add 127.0.0.1 20.1.1.1 esp 301$' "$folder/said" || cat "$folder/said"; setkey -F)"

seq 10000 | awk '{
  printf "add 20.0.0.2 20.0.0.1 esp %d -m tunnel -E aes-cbc 0x%032x -A hmac-sha1 0x%040x;\n", $1 + 4096, $1, $1
  printf "spdadd 10.%d.%d.0/24 10.250.%d.%d any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/use;\n", $1 / 250 + 1, $1 % 250, $1 / 250, $1 % 250
}' >"$folder/many"
chmod 600 "$folder/many"
worked() {  # milliseconds of a processor that toriid's control core has used
  awk -v hz="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / hz) }' "/proc/$toriid_pid/task/$toriid_pid/stat"
}
before=$(date +%s%N) worked_before=$(worked)
told=$(setkey -f "$folder/many" 2>&1)
milliseconds=$((($(date +%s%N) - before) / 1000000)) worked=$(($(worked) - worked_before))
echo "10,000 SAs and 10,000 policies were loaded in $milliseconds ms, $worked of them toriid's work"
result "10,000 SAs and as many policies are less than a second of toriid's work, however busy the machine" \
  "$told$([ $worked -lt 1000 ] || echo "it worked $worked ms"; [ "$(setkey -D | grep -c state=mature)" = 10000 ] || echo 'SAs are missing'; [ "$(setkey -DP | grep -c spid=)" = 10000 ] || echo 'policies are missing')"
end

sa='add 20.0.0.2 20.0.0.1 esp 0x1001 -E aes-cbc 0x000102030405060708090a0b0c0d0e0f -A hmac-sha1 "20-octets-of-the-key";'
keys "$sa"
ipsec='readable_keys = "refuse";' start
chmod 644 "$folder/keys"
result "a file with keys that others may read is refused where readable_keys says so, by setkey -f and by SIGHUP" \
  "${why:-$(told=$(setkey -f "$folder/keys" 2>&1) && echo "not refused: $told"; grep -q "holds keys and may be read" <<<"$told" || echo "$told"
     kill -HUP $toriid_pid; for _ in $(seq 50); do said 'reload refused.*may be read' && break || sleep 0.1; done; said 'reload refused.*may be read' || tail -n 2 "$folder/log"
     setkey -D | grep -q 4097 || echo 'the SA is gone')}"
end
result "at start such a file is refused too" "$(ipsec='readable_keys = "refuse";' refused wan0 'holds keys and may be read')"
start
result "else it is warned of" "${why:-$(said 'warning .*keys holds keys and may be read or written by others' || cat "$folder/log")}"
end
keys 'spdadd gateway.invalid 10.0.0.1 any -P out none;'
result "toriid's own file may have no host names: nobody would look them up" "$(refused wan0 'keys:1: toriid looks up no host names')"

rm "$folder/keys"
mkfifo -m 600 "$folder/keys"
ip netns exec "$gateway" "$TORII_BUILD/app/toriid" --config "$(configuration wan0)" >"$folder/log" 2>&1 </dev/null &
toriid_pid=$!
sleep 2
early=$(answers && echo 'it answered before it had read its policy')
[ ! -e "$TORII_SOCKET" ] || early="$early; its control socket is there"
echo "spdadd 20.0.0.2 20.0.0.1 any -P in none;" >"$folder/keys"
for _ in $(seq 100); do said '^toriid: ready' && break || sleep 0.1; done
result "a gateway that is still reading its policy answers and forwards nothing, and works once it has it" \
  "$early$(answers || answers || echo 'it does not answer afterwards')"
end
rm "$folder/keys"
result "a missing setkey file is no start: nothing is forwarded, and the reason is told" \
  "$(refused wan0 'cannot read .*keys: No such file'; answers && echo 'something answers')"

keys "$sa"
rc() {  # rc WORD   the script of scripts/boot, in the gateway's namespace
  ip netns exec "$gateway" env TORIID="$TORII_BUILD/app/toriid" TORII_CONF="$(configuration wan0)" TORII_RUN="$folder/rc" \
    sh "$TORII_BUILD/scripts/boot/torii.rc" "$1" 2>&1
}
result "the rc script starts the gateway and returns when it is ready" \
  "$(told=$(rc start) && grep -q 'runs (pid' <<<"$told" || echo "$told"; rc status >/dev/null || echo 'it does not run'; setkey -D | grep -q 4097 || echo 'no SA')"
keys "flush nonsense"
result "its reload of a bad file is refused with the reason, and changes nothing" \
  "$(told=$(rc reload) && echo 'not refused'; grep -q 'keys:1: ' <<<"$told" || echo "$told"; setkey -D | grep -q 4097 || echo 'the SA is gone')"
keys "${sa/0x1001/0x1002}"
result "its reload puts the new file in the place of the old" \
  "$(rc reload >/dev/null; for _ in $(seq 50); do setkey -D | grep -q 4098 && break || sleep 0.1; done; setkey -D | grep -q 4098 || setkey -D)"
result "its stop ends the gateway" "$(rc stop >/dev/null || echo failed; rc status >/dev/null && echo 'it still runs'; answers && echo 'something answers')"
keys "flush nonsense"
result "its start with a bad file fails with the reason" \
  "$(told=$(rc start) && echo 'not refused'; grep -q 'keys:1: ' <<<"$told" || echo "$told"; rc status >/dev/null && { echo 'it runs'; rc stop; })"

keys "$sa"
result "a service manager is told when the gateway is ready" "$(
  exec 9< <(timeout 20 /usr/bin/python3 -c "
import socket
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind('$folder/notify')
print(listener.recv(100).decode())")
  for _ in $(seq 50); do [ -S "$folder/notify" ] && break || sleep 0.1; done
  ip netns exec "$gateway" env NOTIFY_SOCKET="$folder/notify" timeout 20 "$TORII_BUILD/app/toriid" --config "$(configuration wan0)" >"$folder/log" 2>&1 </dev/null &
  read -r told <&9
  kill -TERM $! && wait $!
  [ "$told" = READY=1 ] || echo "it was told '$told'")"

title="the systemd unit has no word that systemd does not know"
unit="$folder/torii.service"
sed "s#=[^ =]*/toriid#=$(realpath "$TORII_BUILD")/app/toriid#" "$TORII_BUILD/scripts/boot/torii.service" >"$unit"
if command -v systemd-analyze >"$folder/said"; then
  result "$title" "$(timeout 60 systemd-analyze verify "$unit" 2>&1 || echo "status $?")"
else
  echo "skip $title - there is no systemd-analyze"
fi
