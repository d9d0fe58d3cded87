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
from scapy.layers.ipsec import AH, ESP, IPSecIntegrityError, SecurityAssociation  # noqa: E402

IPV4, ARP = b'\x08\x00', b'\x08\x06'
PROTOCOLS = {50: ('ESP', ESP), 51: ('AH', AH)}
IPIP, IPCOMP = 4, 108
DEFLATE_CPI = 2

CIPHER_NAMES = {**{c.setkey: c.scapy for c in CIPHERS}, 'rijndael-cbc': 'AES-CBC'}
AUTH_NAMES = {a.setkey: a.scapy for a in AUTHS}
KEY = r'("[^"]*"|0x\w+)'
ADD = re.compile(rf'add \S+ (\S+) (esp|ah) (\d+)(?: -m \w+)?(?: -E (\S+) {KEY})?(?: -A (\S+) {KEY})?\s*;')


def key_of(word):
    """A key as setkey reads it: octets in quotes or in hexadecimal."""
    return word.strip('"').encode() if word.startswith('"') else bytes.fromhex(word[2:])


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
        packet, words = IP(octets), ['IPv4']
        while packet.proto in PROTOCOLS or packet.proto == IPIP:
            if packet.proto == IPIP:
                packet = IP(raw(packet.payload))
                words.append('IPv4')
                continue
            word, layer = PROTOCOLS[packet.proto]
            words.append(word)
            sa = self.sas.get((packet.dst, word.lower(), packet[layer].spi))
            if sa is None:
                raise Wrong(f'nobody has the SA of {packet.summary()} spi {packet[layer].spi}')
            try:
                packet = IP(raw(sa.decrypt(packet)))
            except (IPSecIntegrityError, ValueError, TypeError, IndexError) as why:
                raise Wrong(f'scapy does not open {" ".join(words)}: {why}') from why
        return ' '.join([*words, 'payload']), packet


def ip_packets(frames):
    """What the frames carry but ARP, as octets from the IP header to the end of the packet, without Ethernet's padding."""
    for frame in frames:
        if frame[12:14] == ARP:
            continue
        if frame[12:14] != IPV4:
            raise Wrong(f'a frame of type 0x{frame[12:14].hex()} is on the wire')
        yield frame[14:14 + int.from_bytes(frame[16:18], 'big')]


def joined(packets):
    """The packets, with fragments put together at the place of the last one."""
    waiting = {}
    for octets in packets:
        packet = IP(octets)
        if not packet.flags.MF and packet.frag == 0:
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
    return raw(IP(src=source[0], dst=destination[0]) / UDP(sport=source[1], dport=destination[1]) / text)


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
    """The packet with other fields in its IP header, and the checksum that fits them."""
    packet = IP(octets)
    for name, value in fields.items():
        setattr(packet, name, value)
    del packet.chksum
    return raw(packet)


def spoiled(octets):
    """The packet with one bit of its last octet turned."""
    return octets[:-1] + bytes([octets[-1] ^ 1])
