"""Who talks in each mode, what their packets are before IPsec and after, and the SAs and policies that protect them.

    host 10.0.1.5 -- office [ gateway 20.0.0.1 ] world -- scapy 20.0.0.2, and host 10.0.2.5 behind it
    host 2001:db8:1::5 -- [ 2001:db8::1 ] -- scapy 2001:db8::2, and host 2001:db8:2::5

A mode makes pairs of packets: what is sent, and what the gateway must make of it. Packets are octets, from the IP header on.
"""
import functools

from gateway import OFFICE, WORLD
from peer import IP, IPv6, raw
from scapy.layers.inet import ICMP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest

IPV4, IPV6 = 4, 6
GATEWAYS = {IPV4: ('20.0.0.1', '20.0.0.2'), IPV6: ('2001:db8::1', '2001:db8::2')}  # ours, theirs
HOSTS = {IPV4: ('10.0.1.5', '10.0.2.5'), IPV6: ('2001:db8:1::5', '2001:db8:2::5')}  # near, far
NETWORKS = {IPV4: ('10.0.1.0/24', '10.0.2.0/24'), IPV6: ('2001:db8:1::/64', '2001:db8:2::/64')}
(OURS, THEIRS), (OURS6, THEIRS6) = GATEWAYS.values()
(NEAR, FAR), (NEAR6, FAR6) = HOSTS.values()
OUR_SPI, THEIR_SPI = 0x1001, 0x1002  # of the SA from us to them, and of the one back

# Ethernet headers. The gateway's ports are rings, whose MAC is all zeros.
ETHERTYPES = {IPV4: b'\x08\x00', IPV6: b'\x86\xdd'}
FROM_GATEWAY = {OFFICE: bytes.fromhex('020000000105' '000000000000'), WORLD: bytes.fromhex('020000000002' '000000000000')}


def framed(packet):
    """`packet` on its way to the gateway."""
    return bytes.fromhex('000000000000' '020000000099') + ETHERTYPES[packet[0] >> 4] + packet


# Octets of data, and the DSCP, ECN and DF they travel with.
LENGTHS = [0, 1, 15, 16, 17, 64, 1400]
MARKS = [(0, 0), (0xb8, 2), (0x02, 0), (0x29, 2), (0x03, 0), (0xff, 2), (0x2a, 0)]


FLOW_LABEL = 0x12345  # of the hosts; no tunnel shows it


def ip_header(family, src, dst, ttl, **fields):
    """A header; what only the other family has is left out."""
    if family == IPV4:
        return IP(src=src, dst=dst, ttl=ttl, **fields)
    return IPv6(src=src, dst=dst, hlim=ttl, tc=fields.get('tos', 0), fl=FLOW_LABEL)


class Tunnel:
    """The hosts' UDP through a tunnel between the gateways; the gateway is one hop."""
    name = 'tunnel'
    entry, exit = OFFICE, OFFICE  # where the clear packets go in, and come out

    def __init__(self, inside, outside):
        self.inside = inside
        self.title = f'tunnel mode, IPv{inside} in IPv{outside}'
        self.ours, self.theirs = GATEWAYS[outside]
        self.near, self.far = HOSTS[inside]
        self.here, self.there = NETWORKS[inside]

    def policy(self, suite, direction):
        ends = f'{self.ours}-{self.theirs}' if direction == 'out' else f'{self.theirs}-{self.ours}'
        return f'ipsec {suite.requests("tunnel", ends)}'

    @staticmethod
    def ends(source, destination):
        return source, destination

    def packet(self, octets, **header):
        return raw(ip_header(self.inside, id=octets + 1, **header) / UDP(sport=4000, dport=5000) / data(octets))

    def arriving(self, octets, **header):
        """A packet from far, and what must reach the host."""
        header = {'src': self.far, 'dst': self.near, **header}
        return tuple(self.packet(octets, ttl=ttl, **header) for ttl in (61, 60))

    def leaving(self, octets, **header):
        """A packet of the host, and what must be inside the tunnel."""
        header = {'src': self.near, 'dst': self.far, **header}
        return tuple(self.packet(octets, ttl=ttl, **header) for ttl in (64, 63))


class Transport:
    """Echo requests to the gateway's own address, and its replies."""
    name = 'transport'
    entry, exit = WORLD, WORLD

    def __init__(self, family):
        self.family = family
        self.title = f'transport mode over IPv{family}'
        self.ours, self.theirs = self.here, self.there = GATEWAYS[family]

    @staticmethod
    def policy(suite, _):
        return f'ipsec {suite.requests("transport", "")}'

    @staticmethod
    def ends(*_):
        return None

    def exchange(self, octets, **header):
        """An echo request and the reply that it deserves."""
        def message(source, destination, reply):
            ip = ip_header(self.family, source, destination, 64, id=octets + 1, **header)
            if self.family == IPV4:
                return raw(ip / ICMP(type=0 if reply else 8, id=7, seq=octets) / data(octets))
            echo = ICMPv6EchoReply if reply else ICMPv6EchoRequest
            return raw(ip / echo(id=7, seq=octets, data=data(octets)))
        return message(self.theirs, self.ours, False), message(self.ours, self.theirs, True)

    arriving = leaving = exchange


TUNNEL, TRANSPORT = Tunnel(IPV4, IPV4), Transport(IPV4)
TUNNEL6, TRANSPORT6 = Tunnel(IPV6, IPV6), Transport(IPV6)


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
    return ([*suite.add(f'{mode.theirs} {mode.ours}', spi, mode.name, keys, '-r 8' + ' -f esn' * esn), inbound_policy(suite, mode)],
            suite.association(keys, spi, mode.ends(mode.theirs, mode.ours), esn))


def outbound_sa(suite, mode, keys, esn=False):
    """The same for the SA from us to them."""
    return ([*suite.add(f'{mode.ours} {mode.theirs}', OUR_SPI, mode.name, keys, ' -f esn' * esn),
             f'spdadd {mode.here} {mode.there} any -P out {mode.policy(suite, "out")};'],
            suite.association(keys, OUR_SPI, mode.ends(mode.ours, mode.theirs), esn))


def install(gateway, *statements):
    """Replaces everything in the gateway's databases."""
    gateway.setkey('flush; spdflush;', *statements)


def arrive(gateway, packets):
    """A carry() of packets that come from the world."""
    return gateway.carry(WORLD, [framed(packet) for packet in packets])
