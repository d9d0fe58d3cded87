"""Takes packets of the wire apart with code that is not ours (scapy), by the SAs of a text in setkey's language, and makes some.

The form of a packet is told in the FAQ's words: `IPv4 AH ESP payload`.
"""
import os
import re
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'oracle'))
from ah_peer import AuthOverEsp  # noqa: E402
from peer import AUTHS, CIPHERS  # noqa: E402
from places import Wrong  # noqa: E402
from scapy.compat import raw  # noqa: E402
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6  # noqa: E402
from scapy.layers.ipsec import AH, ESP, IPSecIntegrityError, SecurityAssociation  # noqa: E402

IPV4, ARP, IPV6 = b'\x08\x00', b'\x08\x06', b'\x86\xdd'
PROTOCOLS = {50: ('ESP', ESP), 51: ('AH', AH)}
IPIP, IPCOMP = 4, 108
IP_IN_IP = {4: 'IPv4', 41: 'IPv6'}
# Neighbour discovery, which no policy concerns: solicitations and advertisements.
ICMPV6, DISCOVERY = 58, (135, 136)
DEFLATE_CPI = 2

CIPHER_NAMES = {**{c.setkey: c.scapy for c in CIPHERS}, 'rijndael-cbc': 'AES-CBC'}
AUTH_NAMES = {a.setkey: a.scapy for a in AUTHS}
KEY = r'("[^"]*"|0x\w+)'
ADD = re.compile(rf'add \S+ (\S+) (esp|ah) (\d+)(?: -m \w+)?(?: -E (\S+) {KEY})?(?: -A (\S+) {KEY})?\s*;')


def key_of(word):
    """A key as setkey reads it: octets in quotes or in hexadecimal."""
    return word.strip('"').encode() if word.startswith('"') else bytes.fromhex(word[2:])


def ip(octets):
    """The packet of either family, as scapy has it."""
    return (IPv6 if octets[0] >> 4 == 6 else IP)(octets)


def protocol(packet):
    """What the IP header says comes next."""
    return packet.nh if packet.version == 6 else packet.proto


class Keys:
    """Scapy's half of every SA that `text`, in setkey's language, adds."""

    def __init__(self, text):
        self.sas = {}
        for destination, protocol, spi, cipher, cipher_key, auth, auth_key in ADD.findall(text):
            words = {}
            if cipher:
                words.update(crypt_algo=CIPHER_NAMES[cipher], crypt_key=key_of(cipher_key))
            if auth:
                words.update(auth_algo=AUTH_NAMES[auth], auth_key=key_of(auth_key))
            layer = ESP if protocol == 'esp' else AH
            sa = SecurityAssociation(layer, spi=int(spi), **words)
            if layer is AH:
                sa.auth_algo = AuthOverEsp(sa.auth_algo)
            self.sas[destination, protocol, int(spi)] = sa

    def open(self, octets):
        """The form of an IP packet, and the IP packet at the bottom of it. Every SA on the way must open it."""
        packet = ip(octets)
        words = [f'IPv{packet.version}']
        while protocol(packet) in PROTOCOLS or protocol(packet) in IP_IN_IP:
            if protocol(packet) in IP_IN_IP:
                words.append(IP_IN_IP[protocol(packet)])
                packet = ip(raw(packet.payload))
                continue
            word, layer = PROTOCOLS[protocol(packet)]
            words.append(word)
            sa = self.sas.get((packet.dst, word.lower(), packet[layer].spi))
            if sa is None:
                raise Wrong(f'nobody has the SA of {packet.summary()} spi {packet[layer].spi}')
            try:
                packet = ip(raw(sa.decrypt(packet)))
            except (IPSecIntegrityError, ValueError, TypeError, IndexError) as why:
                raise Wrong(f'scapy does not open {" ".join(words)}: {why}') from why
        return ' '.join([*words, 'payload']), packet


def ip_packets(frames):
    """What the frames carry but ARP and IPv6's talk among neighbours, as octets from the IP header to the end of the packet,
    without Ethernet's padding."""
    for frame in frames:
        kind, octets = frame[12:14], frame[14:]
        if kind == ARP or kind == IPV6 and among_neighbours(octets):
            continue
        if kind == IPV4:
            yield octets[:int.from_bytes(octets[2:4], 'big')]
        elif kind == IPV6:
            yield octets[:40 + int.from_bytes(octets[4:6], 'big')]
        else:
            raise Wrong(f'a frame of type 0x{kind.hex()} is on the wire')


def among_neighbours(octets):
    """Whether this IPv6 packet is one of neighbour discovery, or for a group of the link (a kernel's listener reports)."""
    return octets[24:26] == b'\xff\x02' or octets[6] == ICMPV6 and octets[40] in DISCOVERY


def joined(packets):
    """The packets, with fragments of IPv4 put together at the place of the last one."""
    waiting = {}
    for octets in packets:
        packet = ip(octets)
        if packet.version == 6 or not packet.flags.MF and packet.frag == 0:
            yield octets
            continue
        name = packet.src, packet.dst, packet.id
        waiting.setdefault(name, []).append(packet)
        if packet.flags.MF:
            continue
        pieces = sorted(waiting.pop(name), key=lambda p: p.frag)
        whole = b''.join(raw(p.payload) for p in pieces)
        header = pieces[0].copy()
        header.remove_payload()
        header.flags, header.len = 0, 20 + len(whole)
        del header.chksum
        yield raw(header) + whole
    if waiting:
        raise Wrong(f'some fragments have no last one: {waiting}')


def udp(source, destination, text):
    """A UDP packet in clear; source and destination are (address, port)."""
    header = IPv6 if ':' in source[0] else IP
    return raw(header(src=source[0], dst=destination[0]) / UDP(sport=source[1], dport=destination[1]) / text)


def echo(source, destination):
    """An ICMPv6 echo request in clear."""
    return raw(IPv6(src=source, dst=destination) / ICMPv6EchoRequest(data=b'in clear'))


def in_ip(octets, source, destination):
    """The packet in another of IPv4, as a tunnel without IPsec has it."""
    return raw(IP(src=source, dst=destination, proto=IPIP) / octets)


def in_ipcomp(octets):
    """The packet's payload in IPComp with DEFLATE's well-known CPI, for which a receiver needs no SA (RFC 3173 3.3)."""
    packet = IP(octets)
    deflate = zlib.compressobj(wbits=-15)
    squeezed = deflate.compress(raw(packet.payload)) + deflate.flush()
    header = bytes([packet.proto, 0]) + DEFLATE_CPI.to_bytes(2, 'big')
    return raw(IP(src=packet.src, dst=packet.dst, proto=IPCOMP) / (header + squeezed))


def altered(octets, **fields):
    """The packet with other fields in its IP header, and the checksum that fits them, where the header has one."""
    packet = ip(octets)
    for name, value in fields.items():
        setattr(packet, name, value)
    if packet.version == 4:
        del packet.chksum
    return raw(packet)


def spoiled(octets):
    """The packet with one bit of its last octet turned."""
    return octets[:-1] + bytes([octets[-1] ^ 1])
