"""Where the cases of the suite `ike` happen: namespaces with a wire between two gateways, one of them a toriid always.

    Swan      office 10.0.1.5 -- torii 20.0.0.1 === wire === 20.0.0.2 charon, with 10.0.2.5 on its loopback
    Offices   office 10.0.1.5 -- tokyo 20.0.0.1 === wire === 20.0.0.2 newyork -- office 10.0.2.5, a toriid each
"""
import contextlib
import itertools
import json
import os
import re
import socket
import struct
import tempfile
import threading
import time

import strongswan
from places import Network, Wrong
from toriid import Toriid

BUILD = os.environ['TORII_BUILD']
HOUSE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FRAMES = 'blocksz=8192,framesz=8192,framecnt=1024'  # of an af_packet port: the kernel joins fragments before it sees them
SKF = 53  # RFC 7383 2.5


def check(true, why):
    if not true:
        raise Wrong(why)


def wait_for(true, why, seconds=5):
    """Waits until `true()` is, and returns what it is."""
    end = time.monotonic() + seconds
    while not (got := true()):
        if time.monotonic() >= end:
            raise Wrong(why() if callable(why) else why)  # what `why` asks takes its time: once, at the end
        time.sleep(0.05)
    return got


def is_ike(frame):
    """UDP to or from port 500, or on port 4500 with four octets of zero in front; fragments of UDP count as well."""
    return frame[23] == 17 and (b'\x01\xf4' in (frame[34:36], frame[36:38]) or frame[42:46] == bytes(4))


def check_ike_is_cut(frames, sources):
    """Of each of the sources there are three fragments of IKE at least (RFC 7383), and none of IP."""
    frames = [f for f in frames if f[12:14] == b'\x08\x00']
    for source in sources:
        ours = [f for f in frames if f[26:30] == bytes(map(int, source.split('.')))]
        check(all(f[20] & 0x3f == 0 and f[21] == 0 for f in ours), f'{source} cut IP packets: IKE should be cut')
        # the 17th octet of IKE's header is the first payload
        cut = [f for f in ours if is_ike(f) and f[62 if f[42:46] == bytes(4) else 58] == SKF]
        check(len(cut) >= 3, f'{source} sent {len(cut)} fragments of IKE_AUTH, and the chain needs more')


class Gateway(Toriid):
    """A toriid, and what the suite asks it."""

    def ike(self, connection=None):
        """The IKE SAs that live, of one connection or of all: those that are closed only repeat their last answer."""
        rows = json.loads(self.torii('show', 'ike', '--json'))
        return [r for r in rows if r['number'] and r['state'] != 'closed' and connection in (None, r['connection'])]

    def ike_log(self):
        return self.torii('show', 'ike-log')

    def kill(self):
        """Ends toriid as a power cut would."""
        self.process.kill()
        self.process.wait()


class Scene:
    """Up and running for the length of a `with`. What __exit__ finds wrong with the end of a toriid it raises."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.folder = self.network = None
        self.gateways = {}

    def __enter__(self):
        with self.stack:
            self.folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix='torii-ike-'))
            self.network = self.stack.enter_context(Network('ike'))
            self.network.add('wire')
            self.network.add_bridge('wire')
            self.build()
            self.stack = self.stack.pop_all()
            return self

    def __exit__(self, *why):
        with self.stack:
            for gateway in self.gateways.values():
                gateway.close()

    def write(self, name, text, mode=0o600):
        with open(os.path.join(self.folder, name), 'w', encoding='ascii') as file:
            file.write(text)
        os.chmod(file.name, mode)
        return file.name

    def start(self, name, text):
        """A toriid in the place of this name, with this configuration; the control socket is moved into the folder."""
        control = os.path.join(self.folder, f'{name}.sock')
        file = self.write(f'{name}.conf', re.sub(r'socket = "[^"]*"', f'socket = "{control}"', text))
        self.gateways[name] = Gateway(self.network, name, BUILD, file, control)
        self.stack.callback(self.gateways[name].process.kill)  # no more than a net: __exit__ ends it properly
        return self.gateways[name]

    def gateway_file(self, name):
        return os.path.join(self.folder, f'{name}.conf')

    def office(self, place, network, other, gateway):
        """One host with .5 in `network`, behind the port office0 of `gateway`."""
        self.network.add(place)
        self.network.cable(place, 'eth0', gateway, 'office0')
        self.network.ip(place, f'addr add {network}.5/24 dev eth0')
        self.network.ip(place, f'route add {other}.0/24 via {network}.1')

    def ping(self, place, target, count=3):
        """Every ping must be answered, once."""
        with self.flood(place, target, count, 0.05, ends=True):
            pass

    @contextlib.contextmanager
    def flood(self, place, target, count=600, interval=0.003, ends=False, lost_max=0):
        """What happens inside the `with` happens in the middle of `count` pings, and not one may be lost or come twice; `lost_max` is
        for a peer that cannot do that."""
        with Pings(self.network, place, target, count, interval) as pings:
            if not ends:
                time.sleep(0.1)
            yield
            check(ends or not pings.sent_all.is_set(), 'the flood ended before what should happen in it: it proves nothing')
            answers = pings.answers() if lost_max == 0 else pings.answers(seconds=2)
        lost, twice = [n for n, times in enumerate(answers) if times == 0], [n for n, times in enumerate(answers) if times > 1]
        check(len(lost) <= lost_max, f'{len(lost)} of {count} pings from {place} to {target} were lost: {lost[:20]}')
        check(not twice, f'{len(twice)} of {count} pings from {place} to {target} were answered more than once: {twice[:20]}')


class Pings:
    """Echo requests from a place, and how often each was answered. (ping(8) waits for the last one no longer than two round trips,
    and the machine may be busy.)"""
    numbers = itertools.count(os.getpid())

    def __init__(self, network, place, target, count, interval):
        self.number, self.count, self.interval = next(self.numbers) & 0xffff, count, interval
        self.socket = network.within(place, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        self.socket.connect((target, 0))
        self.socket.settimeout(0.1)
        self.sent_all = threading.Event()
        self.heard = [0] * count
        self.threads = [threading.Thread(target=work) for work in (self.ask, self.listen)]
        self.end = float('inf')

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *why):
        self.end = 0
        for thread in self.threads:
            thread.join()
        self.socket.close()

    def ask(self):
        for sequence in range(self.count):
            if self.end == 0:
                return
            head = struct.pack('!HH', self.number, sequence)
            octets = b'\x08\0\0\0' + head + bytes(56)
            total = sum(struct.unpack(f'!{len(octets) // 2}H', octets))
            total = (total & 0xffff) + (total >> 16)
            self.socket.send(octets[:2] + struct.pack('!H', ~(total + (total >> 16)) & 0xffff) + octets[4:])
            time.sleep(self.interval)
        self.sent_all.set()

    def listen(self):
        while time.monotonic() < self.end:
            with contextlib.suppress(TimeoutError):
                octets = self.socket.recv(2048)[20:]
                if octets[0] == 0 and octets[4:6] == struct.pack('!H', self.number):
                    self.heard[int.from_bytes(octets[6:8], 'big')] += 1

    def answers(self, seconds=6):
        """How often each was answered; 6 s after the last was asked nobody waits any more: by then IKE has sent again what a busy
        machine lost. Where some must be lost less is enough."""
        self.threads[0].join()
        self.end = time.monotonic() + seconds
        while 0 in self.heard and time.monotonic() < self.end:
            time.sleep(0.02)
        time.sleep(0.05)  # for a second answer
        return self.heard


class Swan(Scene):
    """A toriid `torii` and a charon `swan`."""

    def __init__(self, connections, more=''):
        super().__init__()
        self.connections, self.more = connections, more
        self.swan = self.torii = None

    def build(self):
        self.network.add('torii', 'swan')
        self.network.plug('wire', 'torii', 'wan0')
        self.office('office', '10.0.1', '10.0.2', 'torii')
        self.network.cable('wire', 'swan', 'swan', 'eth0')
        self.network.ip('wire', 'link set swan master wire')
        self.network.inside('swan', 'ethtool', '-K', 'eth0', 'tx', 'off')
        self.network.ip('swan', 'addr add 20.0.0.2/24 dev eth0')
        self.network.ip('swan', 'addr add 10.0.2.5/32 dev lo')
        self.prepare()
        self.torii = self.start('torii', TORII % {'connections': self.connections, 'more': self.more})
        self.start_swan()
        self.torii.wait_until_ready(60)

    def prepare(self):
        """Files beside the configuration."""

    def start_swan(self):
        folder = tempfile.mkdtemp(dir=self.folder)
        self.swan = strongswan.StrongSwan(self.network, 'swan', folder)
        self.stack.callback(self.swan.close)
        self.swan.wait_until_ready()

    def both(self):
        return f'torii: {self.torii.ike_log()[-700:]} charon: {self.swan.said()[-700:]}'


TORII = """
ports = (
    { name = "office"; role = "protected";   addresses = ["10.0.1.1/24"]; device = "net_af_packet0,iface=office0"; },
    { name = "wan";    role = "unprotected"; addresses = ["20.0.0.1/24"]; device = "net_af_packet1,iface=wan0"; }
);
routes = ( { destination = "10.0.2.0/24"; via = "20.0.0.2"; } );
ipsec = { def_policy = "discard"; };
ike = {
%(more)s
    connections = ( %(connections)s );
};
control = { socket = "/run/torii/torii.sock"; };
"""
