"""ESP in UDP (RFC 3948): scapy's ESP behind scapy's UDP, in tunnel and transport mode, over IPv4 and IPv6."""
import collections

from checks import check_delivered, check_refused
from every_suite import opens, pings, protects
from modes import IPV4, IPV6, TRANSPORT, TRANSPORT6, TUNNEL, TUNNEL6, Tunnel, arrive, inbound_sa, install
from peer import Refused, parsed, raw
from scapy.layers.inet import UDP

MODES = [TUNNEL, Tunnel(IPV6, IPV4), TUNNEL6, Tunnel(IPV4, IPV6), TRANSPORT, TRANSPORT6]
UDP_NUMBER, ESP = 17, 50
NATT = 4500


def header_octets(packet):
    return 40 if packet[0] >> 4 == 6 else 20


class InUdp:
    """A suite whose SAs stand in UDP, from port 4500 to port 4500 where no NAT has changed them."""

    def __init__(self, suite, their_port=NATT):
        self.suite, self.their_port = suite, their_port
        self.name = f'{suite.name} in UDP'
        self.keys, self.requests, self.has_icv = suite.keys, suite.requests, suite.has_icv

    def add(self, ends, spi, mode, keys, words=''):
        source, destination = ends.split()
        inbound = destination in (TUNNEL.ours, TUNNEL6.ours)
        ports = (self.their_port, NATT) if inbound else (NATT, self.their_port)
        ends = f'{source}[{ports[0]}] {destination}[{ports[1]}]'
        return [line.replace(' esp ', ' esp-udp ', 1) for line in self.suite.add(ends, spi, mode, keys, words)]

    def association(self, keys, spi, tunnel, esn):
        return AssociationInUdp(self.suite.association(keys, spi, tunnel, esn), self.their_port)


class AssociationInUdp:
    """Scapy's half: its ESP, with a UDP header between IP and ESP. Over IPv4 the checksum is zero, over IPv6 scapy's."""

    def __init__(self, plain, their_port):
        self.plain, self.their_port, self.iv_octets = plain, their_port, plain.iv_octets

    def build(self, packet, sequence, iv=None, **outer):
        esp = self.plain.build(packet, sequence, iv, **outer)
        ip = parsed(esp)
        payload = esp[header_octets(esp):]
        ip.remove_payload()
        ours = ip.src in (TUNNEL.ours, TUNNEL6.ours)
        ports = {'sport': NATT, 'dport': self.their_port} if ours else {'sport': self.their_port, 'dport': NATT}
        if ip.version == 6:
            ip.nh, udp = UDP_NUMBER, UDP(**ports)
            del ip.plen
        else:
            ip.proto, udp = UDP_NUMBER, UDP(chksum=0, **ports)
            del ip.len, ip.chksum
        return raw(ip / udp / payload)

    def open(self, packet):
        at = header_octets(packet)
        ip, datagram = parsed(packet), UDP(packet[at:])
        if (datagram.sport, datagram.dport, datagram.len) != (NATT, self.their_port, len(packet) - at):
            raise Refused(f'a UDP header {datagram.summary()}')
        ip.remove_payload()
        if ip.version == 6:
            ip.nh = ESP
            del ip.plen
        else:
            ip.proto = ESP
            del ip.len, ip.chksum
        return self.plain.open(raw(ip / packet[at + 8:]))


def refuses(gateway, suite, mode):
    """Each octet of the ESP altered; then the packet as it was, from another port, without UDP, and again."""
    statements, association = inbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    sent, expected = mode.arriving(64)
    whole = association.build(sent, 1000)
    esp_at = header_octets(whole) + 8
    reasons, altered = collections.Counter(), []
    for at in range(esp_at, len(whole)):
        altered.append(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1:])
        reasons[suite.suite.reason(at - esp_at)] += 1
    check_refused(arrive(gateway, altered), **reasons)
    check_refused(arrive(gateway, [association.plain.build(sent, 1001)]), encapsulation_mismatch=1)
    check_delivered(arrive(gateway, [whole]), [expected], mode)
    check_refused(arrive(gateway, [whole]), replayed=1)


def keepalives(gateway, suite, mode):
    """One octet 0xff and nothing else (RFC 3948 2.3)."""
    install(gateway, *inbound_sa(suite, mode, suite.keys())[0])
    ip = parsed(mode.arriving(0)[0]).__class__(src=mode.theirs, dst=mode.ours)
    check_refused(arrive(gateway, [raw(ip / UDP(sport=NATT, dport=NATT) / b'\xff')]), nat_keepalive=1)


def run(results, few):
    for suite in [InUdp(suite) for suite in few] + [InUdp(few[-1], their_port=61234)]:
        behind_nat = ' behind a NAT' if suite.their_port != NATT else ''
        for mode in MODES:
            about = f'{suite.name}{behind_nat}, {mode.title}'
            results.case(f'the gateway opens {about}', opens, suite, mode)
            results.case(f'the gateway builds {about}', protects, suite, mode)
            if suite.suite is few[-1] and not behind_nat:
                results.case(f'the gateway opens {about}, with extended sequence numbers', opens, suite, mode, True)
                results.case(f'no altered octet passes in {about}', refuses, suite, mode)
        for mode in TRANSPORT, TRANSPORT6:
            results.case(f'a ping passes through {suite.name}{behind_nat}, {mode.title}', pings, suite, mode)
    for mode in TRANSPORT, TRANSPORT6:
        results.case(f'a keepalive of a NAT is dropped by name, {mode.title}', keepalives, InUdp(few[-1]), mode)
