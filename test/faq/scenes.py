"""Where the FAQ's examples happen: networks of namespaces with the toriids of one folder of configs/faq, and taps on their wires.

    Hosts     two hosts with a Linux router between them; their programs speak through toriid's host ports
    Hosts6    the same over IPv6
    Offices   two offices, two gateways, one wire between the gateways
    LeafNode  a leaf and its router in the air, a server in the world

Every scene has two ends, `near` and `far`, between whose programs the traffic goes.
"""
import collections
import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

import packets
from places import Network, Wrong, WireTap
from toriid import Toriid

FAQ = os.path.dirname(os.path.abspath(__file__))
CONFIGS = os.path.join(os.path.dirname(os.path.dirname(FAQ)), 'configs', 'faq')
BUILD = os.environ['TORII_BUILD']
PORT = 5000
ANSWER_SECONDS = 3

# Where programs run, and the address they have there.
End = collections.namedtuple('End', 'place address')


class Scene:
    """One example, up and running for the length of a `with`. What __exit__ finds wrong with the end of a toriid it raises."""

    def __init__(self, example):
        self.example = example
        self.stack = contextlib.ExitStack()
        self.folder = self.network = None
        self.toriids, self.taps = {}, {}
        self.added = ''  # SAs that a proof gave both sides

    def __enter__(self):
        with self.stack:
            self.folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix='torii-faq-'))
            os.chmod(self.folder, 0o711)  # a toriid's policy socket is there for everybody
            self.network = self.stack.enter_context(Network('faq'))
            self.build()
            for toriid in self.toriids.values():
                toriid.wait_until_ready()
            self.open_host_ports()
            self.stack = self.stack.pop_all()
            return self

    def __exit__(self, kind, *why):
        with self.stack:
            for toriid in self.toriids.values():
                toriid.close()

    # ---- for build()

    def start(self, name):
        """The toriid of NAME.conf, in the place of that name; only its sockets are moved."""
        control = os.path.join(self.folder, f'{name}.sock')
        file = os.path.join(self.folder, f'{name}.conf')
        with open(os.path.join(CONFIGS, self.example, f'{name}.conf'), encoding='ascii') as conf:
            text = re.sub(r'\bsocket = "[^"]*"', f'socket = "{control}"', conf.read())
            text = re.sub(r'\bpolicy_socket = "[^"]*"', f'policy_socket = "{self.policy_socket(name)}"', text)
        with open(file, 'w', encoding='ascii') as conf:
            conf.write(text)
        keys = shutil.copy(os.path.join(CONFIGS, self.example, f'{name}.setkey'), self.folder)
        os.chmod(keys, 0o600)
        self.toriids[name] = Toriid(self.network, name, BUILD, file, control)
        self.stack.callback(self.toriids[name].process.kill)  # no more than a net: __exit__ ends it properly

    def tap(self, place, interface):
        self.taps[interface] = WireTap(self.network, place, interface)
        self.stack.callback(self.taps[interface].close)

    # ---- for proofs

    def policy_socket(self, name):
        """Where toriid NAME takes socket policies from everybody, if its configuration has such a place."""
        return os.path.join(self.folder, f'{name}-policy.sock')

    def statements(self, name):
        """What NAME.setkey of the example says."""
        with open(os.path.join(CONFIGS, self.example, f'{name}.setkey'), encoding='ascii') as text:
            return text.read()

    def keys(self):
        """Scapy's half of the example's SAs, which are the same on both sides, and of those that add() brought."""
        return packets.Keys(self.statements(next(iter(self.toriids))) + self.added)

    def add(self, sas):
        """Gives both sides these SAs as well."""
        for toriid in self.toriids.values():
            toriid.setkey(sas)
        self.added += sas

    def script(self, name, printed):
        """Runs the FAQ's own script with an empty toriid at NAME; `setkey` is on its PATH."""
        self.toriids[name].setkey('flush; spdflush;')
        with open(os.path.join(FAQ, 'printed', printed), 'rb') as script:
            done = subprocess.run(['/bin/sh'], stdin=script, capture_output=True, timeout=20, check=False, env={
                'PATH': f'{BUILD}/cli:/usr/bin:/bin', 'TORII_SOCKET': self.toriids[name].socket})
        complaints = [line for line in done.stderr.decode().splitlines() if 'legacy' not in line]  # old algorithms are warned of
        if done.returncode or complaints or done.stdout:
            raise Wrong(f'{printed} ended with {done.returncode}: {done.stdout.decode()} {complaints}')

    def socket(self, end, kind=socket.SOCK_DGRAM, port=PORT):
        """A socket of a program at this end, at its address; closed with the scene."""
        def make():
            made = socket.socket(socket.AF_INET6 if ':' in end.address else socket.AF_INET, kind)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.settimeout(ANSWER_SECONDS)
            made.bind((end.address, port))
            return made
        return self.network.within(end.place, make)

    @contextlib.contextmanager
    def programs(self):
        """UDP sockets at the near and the far end."""
        with self.socket(self.near) as near, self.socket(self.far) as far:
            yield near, far

    def forget_wire(self):
        """What the wires carried until now is nobody's business, and the last words of connections are waited for."""
        end = time.monotonic() + 3
        time.sleep(0.1)
        while self.carried() and time.monotonic() < end:
            time.sleep(0.2)

    def carried(self, *interfaces):
        """The IP packets that these wires (all, if none is named) carried since the last look, fragments and all."""
        return [octets for name in interfaces or self.taps for octets in packets.ip_packets(self.taps[name].frames())]

    def send_to(self, name, octets):
        """Puts a packet on the wire to toriid NAME, as any stranger there could."""
        port, interface = self.entrances[name]
        mac = self.network.inside(name, 'cat', f'/sys/class/net/{port}/address').decode().strip()
        self.taps[interface].send(bytes.fromhex(mac.replace(':', '')) + bytes.fromhex('020000000066')
                                  + (packets.IPV6 if octets[0] >> 4 == 6 else packets.IPV4) + octets)


class Hosts(Scene):
    """near 10.1.1.1 -- router -- far 20.1.1.1, named as the files of the example are."""

    def __init__(self, example, near='node', far='peer'):
        super().__init__(example)
        self.near, self.far = End(near, '10.1.1.1'), End(far, '20.1.1.1')
        self.router = End('internet', '10.1.1.254')
        self.entrances = {near: ('wan0', near), far: ('wan0', far)}

    def build(self):
        self.network.add('internet', self.near.place, self.far.place)
        self.network.inside('internet', 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
        for end, router in ((self.near, '10.1.1.254'), (self.far, '20.1.1.254')):
            self.network.cable('internet', end.place, end.place, 'wan0')
            self.network.ip('internet', f'addr add {router}/24 dev {end.place}')
            self.tap('internet', end.place)
            self.start(end.place)

    def open_host_ports(self):
        for toriid in self.toriids.values():
            toriid.open_host_port()


class Hosts6(Hosts):
    """near 2001:db8:1::1 -- router -- far 2001:db8:2::1."""

    def __init__(self, example, near='node', far='peer'):
        super().__init__(example, near, far)
        self.near, self.far = End(near, '2001:db8:1::1'), End(far, '2001:db8:2::1')
        self.router = End('internet', '2001:db8:1::fe')

    def build(self):
        self.network.add('internet', self.near.place, self.far.place)
        self.network.inside('internet', 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1')
        for end, router in ((self.near, '2001:db8:1::fe'), (self.far, '2001:db8:2::fe')):
            self.network.cable('internet', end.place, end.place, 'wan0')
            self.network.inside('internet', 'sysctl', '-qw', f'net.ipv6.conf.{end.place}.disable_ipv6=0')
            self.network.ip('internet', f'addr add {router}/64 dev {end.place} nodad')
            self.tap('internet', end.place)
            self.start(end.place)


class Offices(Scene):
    """near 10.0.1.5 in Tokyo's office, far 10.0.2.5 in New York's; the wire is between their gateways."""
    near, far = End('office-tokyo', '10.0.1.5'), End('office-newyork', '10.0.2.5')
    entrances = {'tokyo': ('wan0', 'tokyo'), 'newyork': ('wan0', 'newyork')}

    def build(self):
        self.network.add('wire')
        self.network.add_bridge('wire')
        for city, end, gateway, other in (('tokyo', self.near, '10.0.1.1', '10.0.2.0/24'),
                                          ('newyork', self.far, '10.0.2.1', '10.0.1.0/24')):
            self.network.add(city, end.place)
            self.network.cable(end.place, 'eth0', city, 'office0')
            self.network.ip(end.place, f'addr add {end.address}/24 dev eth0')
            self.network.ip(end.place, f'route add {other} via {gateway}')
            self.network.plug('wire', city, 'wan0')
            self.tap('wire', city)
            self.start(city)

    def open_host_ports(self):
        """The gateways have none."""


class LeafNode(Scene):
    """near is the leaf 10.0.1.5, far a server 192.0.2.7 in the world; between them the air and the leaf's router."""
    near, far = End('leaf', '10.0.1.5'), End('world', '192.0.2.7')
    entrances = {'leaf': ('wan0', 'leaf'), 'router': ('wlan0', 'router')}

    def build(self):
        self.network.add('air', 'leaf', 'router', 'world')
        self.network.add_bridge('air')
        self.network.plug('air', 'leaf', 'wan0')
        self.network.plug('air', 'router', 'wlan0')
        self.network.cable('world', 'eth0', 'router', 'world0')
        self.network.ip('world', 'addr add 198.51.100.254/24 dev eth0')
        self.network.ip('world', 'addr add 192.0.2.7/32 dev lo')
        self.network.ip('world', 'route add 10.0.1.0/24 via 198.51.100.1')
        for place, interface in (('air', 'leaf'), ('air', 'router'), ('world', 'eth0')):
            self.tap(place, interface)
        self.start('leaf')
        self.start('router')

    def open_host_ports(self):
        self.toriids['leaf'].open_host_port()
