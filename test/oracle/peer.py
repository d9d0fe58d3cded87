"""The other gateway, made of code that is not ours: scapy's IPsec layer over the cryptography package.

Every suite the gateway offers, in setkey's words and in scapy's, and scapy's half of an SA. Keys and IVs come from a generator
with a seed, so that every run sees the same packets.
"""
import collections
import itertools
import logging
import random
import struct
import warnings

logging.getLogger('scapy').setLevel(logging.ERROR)
warnings.simplefilter('ignore')  # old ciphers are deprecated, and asked for here

from scapy.compat import raw  # noqa: E402
from scapy.layers.inet import IP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.ipsec import (AUTH_ALGOS, CRYPT_ALGOS, ESP, AuthAlgo, IPSecIntegrityError,  # noqa: E402
                                SecurityAssociation)

CHANCE = random.Random(4303)

# its name in titles, setkey's, scapy's, octets of the key (with the salt, where there is one)
Cipher = collections.namedtuple('Cipher', 'name setkey scapy key_octets')
CIPHERS = [
    Cipher('null', 'null', 'NULL', 0),
    Cipher('des-cbc', 'des-cbc', 'DES', 8),
    Cipher('3des-cbc', '3des-cbc', '3DES', 24),
    *(Cipher(f'blowfish-cbc of {bits} bits', 'blowfish-cbc', 'Blowfish', bits // 8) for bits in (40, 128, 448)),
    *(Cipher(f'aes-cbc of {bits} bits', 'aes-cbc', 'AES-CBC', bits // 8) for bits in (128, 192, 256)),
    *(Cipher(f'cast128-cbc of {bits} bits', 'cast128-cbc', 'CAST', bits // 8) for bits in (40, 128)),
    *(Cipher(f'aes-ctr of {bits} bits', 'aes-ctr', 'AES-CTR', bits // 8 + 4) for bits in (128, 192, 256)),
    *(Cipher(f'aes-gcm-16 of {bits} bits', 'aes-gcm-16', 'AES-GCM', bits // 8 + 4) for bits in (128, 192, 256)),
    *(Cipher(f'aes-ccm-16 of {bits} bits', 'aes-ccm-16', 'AES-CCM', bits // 8 + 3) for bits in (128, 192, 256)),
    Cipher('chacha20-poly1305', 'chacha20-poly1305', 'CHACHA20-POLY1305', 36),
]
AEADS = {'aes-gcm-16', 'aes-ccm-16', 'chacha20-poly1305'}

# setkey's name, scapy's (which tells the bits of the ICV: RFC 2403, 2404, 4868), octets of the key
Auth = collections.namedtuple('Auth', 'setkey scapy key_octets')
NO_AUTH = Auth('', None, 0)
AUTHS = [
    Auth('hmac-md5', 'HMAC-MD5-96', 16),
    Auth('hmac-sha1', 'HMAC-SHA1-96', 20),
    Auth('hmac-sha256', 'SHA2-256-128', 32),
    Auth('hmac-sha384', 'SHA2-384-192', 48),
    Auth('hmac-sha512', 'SHA2-512-256', 64),
    Auth('aes-cmac', 'AES-CMAC-96', 16),
]


def parsed(octets):
    """The packet, of whichever family."""
    return IPv6(octets) if octets[0] >> 4 == 6 else IP(octets)


def tunnel_header(ends, packet, **more):
    """The header of a tunnel around `packet`: DSCP and ECN from it, and DF, which IPv6 has above its least MTU (RFC 4213 3.2).
    `more` says it otherwise, in IPv4's words."""
    inner = parsed(packet)
    marks = inner.tc if inner.version == 6 else inner.tos
    if ':' in ends[0]:
        return IPv6(src=ends[0], dst=ends[1], hlim=more.get('ttl', 64), tc=more.get('tos', marks))
    whole = 2 * (len(packet) > 1280) if inner.version == 6 else int(inner.flags) & 2
    return IP(src=ends[0], dst=ends[1], **{'ttl': 64, 'tos': marks, 'flags': whole, **more})


class Suite:
    """A cipher and an authenticator that protect packets together."""

    def __init__(self, cipher, auth):
        self.cipher, self.auth = cipher, auth
        self.name = cipher.name + (f' with {auth.setkey}' if auth.setkey else '')
        self.has_icv = auth is not NO_AUTH or cipher.setkey in AEADS

    def missing(self):
        """The algorithm that the scapy of this machine does not have; None when it has both."""
        if self.cipher.scapy not in CRYPT_ALGOS:
            return self.cipher.scapy
        return self.auth.scapy if self.auth.scapy not in (None, *AUTH_ALGOS) else None

    def keys(self):
        """Fresh ones: (cipher key, authentication key)."""
        return CHANCE.randbytes(self.cipher.key_octets), CHANCE.randbytes(self.auth.key_octets)

    def in_setkey(self, keys):
        cipher_key, auth_key = (f' 0x{key.hex()}' if key else '' for key in keys)
        words = f'-E {self.cipher.setkey}{cipher_key}'
        return words + (f' -A {self.auth.setkey}{auth_key}' if self.auth is not NO_AUTH else '')

    def add(self, ends, spi, mode, keys, words=''):
        """setkey's statements for an SA; `ends` is its source and destination, `mode` a name."""
        return [f'add {ends} esp {spi} -m {mode} {words} {self.in_setkey(keys)};']

    @staticmethod
    def requests(mode, ends):
        """What a policy asks for; `ends` is empty in transport mode."""
        return f'esp/{mode}/{ends}/require'

    def association(self, keys, spi, tunnel, esn):
        return Association(self, keys, spi, tunnel, esn)

    @staticmethod
    def reason(position):
        """The name under which a packet is dropped that was altered `position` octets behind its IP header."""
        return 'unknown_spi' if position < 4 else 'bad_icv'


def suites():
    """Every pair that ESP allows: an AEAD brings its own ICV, and null with nothing protects nothing (RFC 4303 3.2)."""
    for cipher, auth in itertools.product(CIPHERS, [NO_AUTH, *AUTHS]):
        allowed = auth is NO_AUTH if cipher.setkey in AEADS else (cipher.setkey, auth) != ('null', NO_AUTH)
        if allowed:
            yield Suite(cipher, auth)


class Refused(Exception):
    """Scapy does not open this packet; the text says why."""


class Association:
    """Scapy's half of one SA. IP packets are octets here, from the first of the header to the last of the packet."""

    def __init__(self, suite, keys, spi, tunnel, esn=False):
        self.suite = suite
        self.tunnel = tunnel  # (source, destination) of the outer header; None in transport mode
        self.scapy = SecurityAssociation(ESP, spi=spi, crypt_algo=suite.cipher.scapy, crypt_key=keys[0],
                                         auth_algo=suite.auth.scapy, auth_key=keys[1], esn_en=esn)
        self.algorithm = self.scapy.crypt_algo
        self.iv_octets = self.algorithm.iv_size
        if esn and suite.auth is not NO_AUTH:
            self.scapy.auth_algo = ExtendedAuth(self.scapy)

    def build(self, packet, sequence, iv=None, more_padding=0, padding_starts_at=1, **outer):
        """`packet` as ESP. The outer header of a tunnel takes DSCP, ECN and DF from the packet unless `outer` says more."""
        self.scapy.crypt_algo = Padded(self.algorithm, more_padding, padding_starts_at)
        if self.tunnel:
            self.scapy.tunnel_header = tunnel_header(self.tunnel, packet, **outer)
        self.scapy.esn, self.scapy.seq_num = sequence >> 32, sequence & 0xffffffff
        return raw(self.scapy.encrypt(parsed(packet), iv=iv or CHANCE.randbytes(self.iv_octets)))

    def open(self, packet):
        """What was in the ESP packet `packet`, and its sequence number and IV. Raises Refused."""
        packet, front = without_front(packet)
        esp = parsed(packet)[ESP]
        self.scapy.tunnel_header = IP() if self.tunnel else None
        try:
            inside = raw(self.scapy.decrypt(parsed(packet)))
        except (IPSecIntegrityError, TypeError, ValueError) as why:
            raise Refused(f'scapy refuses it: {why}') from why
        return inside if self.tunnel else with_front(inside, front), esp.seq, esp.data[:self.iv_octets]


EXTENSION_HEADERS = {0, 43, 60}  # hop-by-hop options, routing, destination options


def without_front(packet):
    """`packet` without the extension headers in front of its ESP, which scapy takes for those of what is inside; and them."""
    kind, at = packet[6], 40
    if packet[0] >> 4 != 6 or kind not in EXTENSION_HEADERS:
        return packet, b''
    while kind in EXTENSION_HEADERS:
        kind, at = packet[at], at + 8 + 8 * packet[at + 1]
    header = packet[:4] + struct.pack('!HB', len(packet) - at, kind) + packet[7:40]
    return header + packet[at:], packet[6:7] + packet[40:at]


def with_front(packet, front):
    """`packet` with the extension headers `front` of without_front() in front of what it carries."""
    if not front:
        return packet
    kind, headers, at = front[0], bytearray(front[1:]), 0
    while at + 8 + 8 * headers[at + 1] < len(headers):
        at += 8 + 8 * headers[at + 1]
    headers[at] = packet[6]
    return packet[:4] + struct.pack('!HB', len(headers) + len(packet) - 40, kind) + packet[7:40] + headers + packet[40:]


class Padded:
    """A cipher of scapy's that pads with `more` octets than it needs, numbered from `first` on."""

    def __init__(self, algorithm, more, first):
        self.algorithm, self.more, self.first = algorithm, more, first

    def __getattr__(self, name):
        return getattr(self.algorithm, name)

    def pad(self, esp):
        esp = self.algorithm.pad(esp)
        esp.padlen += self.more
        esp.padding = bytes(range(self.first, self.first + esp.padlen))
        return esp


class ExtendedAuth(AuthAlgo):
    """With extended sequence numbers the ICV covers their high half too (RFC 4303 2.2.1), which scapy's ESP leaves out."""

    def __init__(self, association):
        plain = association.auth_algo
        super().__init__(plain.name, plain.mac, plain.digestmod, plain.icv_size)
        self.association = association

    def new_mac(self, key):
        return MacOverHighHalf(super().new_mac(key), self.association.esn)


class MacOverHighHalf:
    def __init__(self, mac, high):
        self.mac, self.high = mac, high

    def update(self, octets):
        self.mac.update(octets)

    def finalize(self):
        self.mac.update(struct.pack('!L', self.high))
        return self.mac.finalize()
