"""Who talks in each mode, what their packets are before IPsec and after, and the SAs and policies that protect them.

    host 10.0.1.5 -- office [ gateway 20.0.0.1 ] world -- scapy 20.0.0.2, and host 10.0.2.5 behind it

A mode makes pairs of packets: what is sent, and what the gateway must make of it. Packets are octets, from the IP header on.
"""
import functools

from gateway import OFFICE, WORLD
from peer import IP, raw
from scapy.layers.inet import ICMP, UDP

OURS, THEIRS = '20.0.0.1', '20.0.0.2'
NEAR, FAR = '10.0.1.5', '10.0.2.5'
OUR_SPI, THEIR_SPI = 0x1001, 0x1002  # of the SA from us to them, and of the one back

# Ethernet headers. The gateway's ports are rings, whose MAC is all zeros.
TO_GATEWAY = bytes.fromhex('000000000000' '020000000099' '0800')
FROM_GATEWAY = {OFFICE: bytes.fromhex('020000000105' '000000000000' '0800'),
                WORLD: bytes.fromhex('020000000002' '000000000000' '0800')}

# Octets of data, and the DSCP, ECN and DF they travel with.
LENGTHS = [0, 1, 15, 16, 17, 64, 1400]
MARKS = [(0, 0), (0xb8, 2), (0x02, 0), (0x29, 2), (0x03, 0), (0xff, 2), (0x2a, 0)]


class Tunnel:
    """The hosts' UDP through a tunnel between the gateways; the gateway is one hop."""
    name = 'tunnel'
    here, there = '10.0.1.0/24', '10.0.2.0/24'
    entry, exit = OFFICE, OFFICE  # where the clear packets go in, and come out

    @staticmethod
    def policy(suite, direction):
        ends = f'{OURS}-{THEIRS}' if direction == 'out' else f'{THEIRS}-{OURS}'
        return f'ipsec {suite.requests("tunnel", ends)}'

    @staticmethod
    def ends(source, destination):
        return source, destination

    @staticmethod
    def packet(octets, **header):
        return raw(IP(id=octets + 1, **header) / UDP(sport=4000, dport=5000) / data(octets))

    def arriving(self, octets, src=FAR, dst=NEAR, **header):
        """A packet from far, and what must reach the host."""
        return tuple(self.packet(octets, src=src, dst=dst, ttl=ttl, **header) for ttl in (61, 60))

    def leaving(self, octets, src=NEAR, dst=FAR, **header):
        """A packet of the host, and what must be inside the tunnel."""
        return tuple(self.packet(octets, src=src, dst=dst, ttl=ttl, **header) for ttl in (64, 63))


class Transport:
    """Echo requests to the gateway's own address, and its replies."""
    name = 'transport'
    here, there = OURS, THEIRS
    entry, exit = WORLD, WORLD

    @staticmethod
    def policy(suite, _):
        return f'ipsec {suite.requests("transport", "")}'

    @staticmethod
    def ends(*_):
        return None

    @staticmethod
    def exchange(octets, **header):
        """An echo request and the reply that it deserves."""
        def message(source, destination, kind):
            ip = IP(src=source, dst=destination, ttl=64, id=octets + 1, **header)
            return raw(ip / ICMP(type=kind, id=7, seq=octets) / data(octets))
        return message(THEIRS, OURS, 8), message(OURS, THEIRS, 0)

    arriving = leaving = staticmethod(exchange)


TUNNEL, TRANSPORT = Tunnel(), Transport()


def data(octets):
    return bytes(i * 7 & 0xff for i in range(octets))


@functools.cache
def some_packets(maker):
    """One pair of a mode's for each length, with different marks."""
    return [maker(octets, tos=tos, flags=flags) for octets, (tos, flags) in zip(LENGTHS, MARKS)]


def inbound_policy(suite, mode):
    return f'spdadd {mode.there} {mode.here} any -P in {mode.policy(suite, "in")};'


def inbound_sa(suite, mode, keys, esn=False, spi=THEIR_SPI):
    """(setkey's statements for the gateway, scapy's half) of the SA from them to us; the policy is the last statement."""
    return ([*suite.add(f'{THEIRS} {OURS}', spi, mode.name, keys, '-r 8' + ' -f esn' * esn), inbound_policy(suite, mode)],
            suite.association(keys, spi, mode.ends(THEIRS, OURS), esn))


def outbound_sa(suite, mode, keys, esn=False):
    """The same for the SA from us to them."""
    return ([*suite.add(f'{OURS} {THEIRS}', OUR_SPI, mode.name, keys, ' -f esn' * esn),
             f'spdadd {mode.here} {mode.there} any -P out {mode.policy(suite, "out")};'],
            suite.association(keys, OUR_SPI, mode.ends(OURS, THEIRS), esn))


def install(gateway, *statements):
    """Replaces everything in the gateway's databases."""
    gateway.setkey('flush; spdflush;', *statements)


def arrive(gateway, packets):
    """A carry() of packets that come from the world."""
    return gateway.carry(WORLD, [TO_GATEWAY + packet for packet in packets])
