"""Network namespaces of a suite's own, cables between them, and sockets that are opened inside them from outside."""
import concurrent.futures
import ctypes
import os
import socket
import subprocess

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SO_RCVBUFFORCE = 33  # beyond the limit of ordinary users; the module socket does not know it
# A burst of full frames must wait for its reader; the kernel's own 200 KiB hold some sixty.
TAP_OCTETS = 8 << 20


class Wrong(Exception):
    """A case failed; the text says why."""


def run(*words, seconds=20, **options):
    """Runs a program of this machine, which must succeed; returns its output."""
    done = subprocess.run(words, capture_output=True, timeout=seconds, check=False, **options)
    if done.returncode != 0:
        raise Wrong(f'{" ".join(words)}: {(done.stderr or done.stdout).decode(errors="replace").strip()}')
    return done.stdout


class Network:
    """The namespaces of one test, torii-SUITE-PID-PLACE. Deleted by close(), or at the end of a `with`."""

    def __init__(self, suite):
        self.prefix = f'torii-{suite}-{os.getpid()}'
        self.names = []

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()

    def add(self, *places):
        for place in places:
            run('ip', 'netns', 'add', self.name(place))
            self.names.append(self.name(place))
            self.inside(place, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1')
            self.ip(place, 'link set lo up')

    def add_bridge(self, place):
        """Makes `place` a wire of many ends: a bridge of the same name that says nothing itself."""
        self.ip(place, f'link add {place} type bridge mcast_snooping 0')
        self.ip(place, f'link set {place} up')

    def cable(self, place, interface, gateway, port):
        """A veth pair; the gateway's end is for DPDK, so the other end must not leave checksums to a card."""
        self.ip(place, f'link add {interface} type veth peer name {port} netns {self.name(gateway)}')
        self.inside(place, 'ethtool', '-K', interface, 'tx', 'off')
        self.ip(place, f'link set {interface} up')
        self.ip(gateway, f'link set {port} up')

    def plug(self, bridge, gateway, port):
        """A cable from `gateway` into the bridge, whose end of it bears the gateway's name."""
        self.cable(bridge, gateway, gateway, port)
        self.ip(bridge, f'link set {gateway} master {bridge}')

    def name(self, place):
        return f'{self.prefix}-{place}'

    def ip(self, place, words):
        return run('ip', '-n', self.name(place), *words.split())

    def inside(self, place, *words, **options):
        return run('ip', 'netns', 'exec', self.name(place), *words, **options)

    def within(self, place, make):
        """What `make()` returns when it is called in this place: a socket belongs for ever to where it was made."""
        def enter_and_make():
            with open(f'/run/netns/{self.name(place)}', 'rb') as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise Wrong(f'{self.name(place)} cannot be entered: {os.strerror(ctypes.get_errno())}')
            return make()

        with concurrent.futures.ThreadPoolExecutor(1) as thread:  # namespaces are a thread's own
            return thread.submit(enter_and_make).result()

    def close(self):
        while self.names:
            subprocess.run(['ip', 'netns', 'del', self.names.pop()], check=False)


class WireTap:
    """All frames that pass an interface, both ways, from now on; and a way to send some oneself."""

    def __init__(self, network, place, interface):
        self.socket = network.within(place, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, TAP_OCTETS)
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.setblocking(False)

    def frames(self):
        """The frames since the last call."""
        seen = []
        while True:
            try:
                seen.append(self.socket.recv(65535))
            except BlockingIOError:
                return seen

    def send(self, frame):
        self.socket.send(frame)

    def close(self):
        self.socket.close()
