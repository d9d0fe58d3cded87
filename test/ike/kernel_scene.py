"""Where the cases with a real kernel happen: a toriid, and a stranger's IKE daemon over the XFRM of a Linux guest (test/support/uml.py).

    office 10.0.1.5 -- torii 20.0.0.1 === wire === eth0 20.0.0.2 [ guest: daemon, and 10.0.2.5 on its loopback ]
                                             \\== nat 20.0.0.254 | 192.168.7.1 == inside == eth1 192.168.7.2 [ the same guest ]

Beside the wire's IPv4 there is 2001:db8::/64. In transport mode the programs of toriid's own machine speak, through its host port. One
guest and one toriid serve all cases of a daemon; each case has a connection of its own, told from the others by its identities. That
both sides have the same SAs is seen in the guest's kernel, whatever the daemon says of itself.
"""
import os
import re

import uml
from nat import Nat
from places import WireTap
from scene import FRAMES, HOUSE, Gateway, Pings, Scene, check, is_ike, wait_for  # noqa: F401

INNER, OUTER, OUTER6 = '10.0.2.5', '20.0.0.2', '2001:db8::2'
OTHER_OUTER = '20.0.0.9'
BEHIND_NAT, BESIDE = '192.168.7.2', '192.168.7.100'  # the guest, and whoever speaks to its daemon and not to toriid
SECRET = '0x746f7269692064656d6f206b65792c207075626c697368656420616e64207468757320776f7274686c657373'
PROTOCOLS = {'50': 'esp', '51': 'ah', '108': 'comp'}
EXAMPLES = os.path.join(HOUSE, 'configs', 'office-vpn-ike')
PEERS = os.path.join(HOUSE, 'build', 'peers')

TORII = """
gateway = { name = "torii"; workers = 1; mbufs = 8192; };
ports = (
    { name = "office"; role = "protected";   addresses = ["10.0.1.1/24"]; device = "net_af_packet0,iface=office0,%(frames)s"; },
    { name = "wan";    role = "unprotected"; addresses = ["20.0.0.1/24", "2001:db8::1/64"]; device = "net_af_packet1,iface=wan0,%(frames)s"; },
    { name = "host";   role = "host";        device = "net_tap0,iface=torii0"; }
);
routes = ( { destination = "10.0.2.0/24"; via = "20.0.0.2"; } );
ipsec = { def_policy = "discard"; };
crypto = { time_kernels = false; };
ike = {
    psk_file = "psk.txt";
    retransmit_milliseconds = 300;
    retransmissions = 3;
    %(more)s
    connections = ( %(connections)s );
};
control = { socket = "/run/torii/torii.sock"; };
"""


def lacks_peer(name):
    """Why the cases with that daemon of build/peers cannot run here, in words; None if they can."""
    if why := uml.missing():
        return why
    return None if os.path.exists(os.path.join(PEERS, name)) else f'there is no build/peers/{name}: scripts/peers.sh fetches Debian\'s package'


def torii_connection(name, child, settings='', local='20.0.0.1', remote=OUTER):
    """toriid's side of a connection, whose child is `offices`."""
    remote = f'remote = "{remote}"; ' if remote else ''
    if 'dpd_seconds' not in settings:
        settings = f'dpd_seconds = 2; {settings}'
    return f"""{{ name = "{name}"; local = "{local}"; {remote}local_id = "tokyo.{name}"; remote_id = "newyork.{name}";
        {settings} children = ( {{ name = "offices"; {child} }} ); }}"""


def example(*path):
    """A file of the office VPN."""
    with open(os.path.join(EXAMPLES, *path), encoding='ascii') as file:
        return file.read()


def torii_example():
    """tokyo.conf's connection as it stands there, but for its trap, which would be in the way of the other connections."""
    connections = re.search(r'connections = \((.*?)\n    \);', example('tokyo.conf'), re.DOTALL)[1]
    return connections.replace('start = "trap";', '')


class KernelScene(Scene):
    """A toriid `torii` with these connections, and `daemon` (see Daemon) in a guest."""

    def __init__(self, daemon, connections, more=''):
        super().__init__()
        self.daemon, self.connections, self.more = daemon, connections, more
        self.torii = self.guest = self.tap = self.nat = None

    def build(self):
        self.network.add('torii', 'nat')
        self.network.plug('wire', 'torii', 'wan0')
        self.office('office', '10.0.1', '10.0.2', 'torii')
        self.network.ip('wire', 'link add inside type bridge mcast_snooping 0')
        self.network.ip('wire', 'link set inside up')
        for bridge, tap, end in (('wire', 'peer', 'out0'), ('inside', 'hidden', 'in0')):
            self.network.ip('wire', f'tuntap add {tap} mode tap')
            self.network.ip('wire', f'link set {tap} master {bridge} up')
            self.network.cable('wire', end, 'nat', end)
            self.network.ip('wire', f'link set {end} master {bridge}')
        self.network.ip('nat', 'addr add 20.0.0.254/24 dev out0')
        self.network.ip('nat', 'addr add 192.168.7.1/24 dev in0')
        self.network.ip('wire', f'addr add {BESIDE}/24 dev inside')
        self.nat = self.stack.enter_context(Nat(self.network, 'nat', 'in0', '20.0.0.254', '20.0.0.1'))
        self.write('psk.txt', f'* {SECRET}\n')
        self.prepare()
        self.torii = self.start('torii', TORII % {'frames': FRAMES, 'more': self.more, 'connections': ', '.join([*self.connections, torii_example()])})
        self.start_guest()
        self.torii.wait_until_ready(60)
        self.torii.open_host_port()
        self.tap = WireTap(self.network, 'wire', 'torii')
        self.stack.callback(self.tap.close)

    def prepare(self):
        """Files beside the configuration."""

    def start_guest(self):
        self.guest = uml.Guest(self.network.name('wire'), 'peer', memory_megabytes=192, more_taps=['hidden'], cargo=self.daemon.cargo(),
                               files=self.daemon.files())
        self.stack.callback(self.guest.stop)
        self.guest.check_all([
            f'ip addr add {OUTER}/24 dev eth0', f'ip addr add {INNER}/32 dev lo', f'ip addr add {BEHIND_NAT}/24 dev eth1',
            f'ip route add 10.0.1.0/24 via 20.0.0.1 src {INNER}',
            'sysctl -qw net.core.xfrm_acq_expires=4',  # how long an SPI stays that is reserved and not used
            'sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1 net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.eth0.disable_ipv6=0',
            f'ip addr add {OUTER6}/64 dev eth0 nodad'])
        self.daemon.scene, self.daemon.guest = self, self.guest
        self.daemon.start()

    # ---- what there is

    def kernels(self):
        """The SAs of the guest's kernel: dictionaries."""
        states = [line.split() for line in self.guest.check('xfrm-states').splitlines()]
        return [{'source': source, 'destination': destination, 'protocol': PROTOCOLS.get(protocol, protocol), 'spi': int(spi), 'esn': esn == '1',
                 'mode': ('transport', 'tunnel')[int(mode)], 'octets': int(octets), 'packets': int(packets)}
                for source, destination, protocol, spi, mode, octets, packets, esn in states]

    def children(self, connection=None):
        """toriid's pairs in use; an old one stays for late packets."""
        return [pair for pair in self.torii.children(connection) if pair['state'] == 'installed']

    def agreed(self, connection):
        """Our IKE SA and the pair of SAs, once there is one of each, and the guest's kernel has these SAs and no others of this protocol."""
        ikes, pairs = self.torii.ike(), self.children()
        if len(ikes) != 1 or len(pairs) != 1 or (ikes[0]['connection'], ikes[0]['state']) != (connection, 'established'):
            return None
        theirs = {sa['spi'] for sa in self.kernels() if sa['protocol'] == pairs[0]['protocol']}
        return (ikes[0], pairs[0]) if theirs == {pairs[0]['inbound_spi'], pairs[0]['outbound_spi']} else None

    def wait_until_agreed(self, connection, seconds=8):
        return wait_for(lambda: self.agreed(connection), lambda: f'the two do not agree on {connection}: {self.both()}', seconds)

    def wait_until_others(self, before, seconds=2.5):
        """Until other SAs than the pair `before` are in use here."""
        wait_for(lambda: (now := self.children()) and all(pair['inbound_spi'] != before['inbound_spi'] for pair in now),
                 lambda: f'no new SAs: {self.both()}', seconds)

    def wait_until_nothing(self, seconds=8):
        wait_for(lambda: not (self.torii.ike() or self.torii.children() or self.kernels()),
                 lambda: f'SAs are left: {self.torii.ike()} {self.kernels()} {self.both()}', seconds)

    def begin(self, connection, side):
        """Begins a connection by one side, when none is there."""
        self.daemon.choose(connection)
        if side == 'torii':
            self.torii.torii('ike', 'up', f'{connection}/offices')
        else:
            self.daemon.up(connection)
        ike, pair = self.wait_until_agreed(connection)
        check(ike['initiator'] == (side == 'torii'), f'it was not {side} who began: {ike}')
        return ike, pair

    def end(self):
        self.daemon.finish()
        for name in {sa['connection'] for sa in self.torii.ike() if sa['state'] == 'established'}:
            self.torii.torii('ike', 'down', name)
        self.wait_until_nothing()

    def have(self, connection, side='torii'):
        if got := self.agreed(connection):
            return got
        self.end()
        return self.begin(connection, side)

    # ---- packets

    def guest_ping(self, target, size=56, source=None):
        said = self.guest.check(f'ping -c 3 -i 0.05 -W 3 -s {size} {f"-I {source} " if source else ""}{target}')
        check('3 packets received' in said, f'of 3 pings of the guest to {target} some were lost: {said}')

    def host_ping(self, place, target, size):
        said = self.network.inside(place, 'ping', '-n', '-c', '3', '-i', '0.05', '-W', '3', '-M', 'dont', '-s', str(size), target).decode()
        check('3 received' in said, f'of 3 pings of {size} octets to {target} some were lost: {said}')

    def passes(self, mode='tunnel', target=None, back=None, large=2500):
        """Pings of both sides, small and larger than any packet, go through the SAs, and both count them alike."""
        place, there, here = ('office', INNER, '10.0.1.5') if mode == 'tunnel' else ('torii', target or OUTER, back or '20.0.0.1')
        before, kernels = self.children()[0], {sa['spi']: sa['packets'] for sa in self.kernels()}
        for size in (56, large):
            self.host_ping(place, there, size)
            self.guest_ping(here, size, source=INNER if mode == 'tunnel' else None)
        after, now = self.children()[0], {sa['spi']: sa['packets'] for sa in self.kernels()}
        for way, spi in (('outbound', after['outbound_spi']), ('inbound', after['inbound_spi'])):
            ours = after[f'{way}_packets'] - before[f'{way}_packets']
            theirs = now[spi] - kernels[spi]
            check(ours >= 12 and ours == theirs, f'{way}: toriid counts {ours} packets, and the kernel {theirs}; 12 or more were sent')

    def on_wire(self):
        """The IPv4 frames toward and from toriid since the last call, as (protocol, octets); IKE and ARP are left out."""
        return [(f[23], len(f)) for f in self.tap.frames() if f[12:14] == b'\x08\x00' and not is_ike(f)]

    def both(self):
        said = f'torii: {self.torii.ike_log()[-900:]} {self.daemon.name}: {self.daemon.said()[-1200:]}'
        return f'{said} kernel: {[(sa["source"], sa["protocol"], hex(sa["spi"])) for sa in self.kernels()]}'


class Daemon:
    """A stranger's IKE daemon in a guest. Its subclasses say how it is started and given orders."""
    name = ''
    scene = guest = None
    log = '/tmp/daemon.log'
    example = {'newyork': 'tokyo'}  # what the peers' files call tokyo.conf's connection

    def cargo(self):
        raise NotImplementedError

    def files(self):
        raise NotImplementedError

    def kill(self):
        """Ends it as a fault of its own would; its kernel lives on."""
        raise NotImplementedError

    def restart(self):
        """Starts it after kill(), with what else its system would do then."""
        self.start()

    def choose(self, connection):
        """Has it know this connection, should it not know all at a time."""

    def finish(self):
        """Has it end what it would otherwise begin again."""

    def said(self):
        """The end of its log."""
        return self.guest.run(f'tail -c 6000 {self.log}')[1]

    def told(self, words, since=0):
        """How often it has said that."""
        return int(self.guest.run(f"grep -c -- '{words}' {self.log}")[1] or 0) - since
