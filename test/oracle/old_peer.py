"""IPsec as it was in 1995, which scapy does not have, built by hand: ESP of RFC 1827 with RFC 1829's DES and its like, AH of
RFC 1826 with RFC 1828's keyed MD5 and its like. Each in the shape of a suite and an association of peer.py."""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from peer import CHANCE, IP, Refused, raw

IPV4, ESP, AH = 4, 50, 51
DIGEST_OCTETS = 16


def triple(key):
    return algorithms.TripleDES(key * 3)


# setkey's name, the algorithm, octets of key, block and IV
ESP_CIPHERS = [('des-cbc', triple, 8, 8, 8), ('des-32iv', triple, 8, 8, 4), ('3des-cbc', algorithms.TripleDES, 24, 8, 8),
               ('blowfish-cbc', algorithms.Blowfish, 16, 8, 8), ('cast128-cbc', algorithms.CAST5, 16, 8, 8),
               ('aes-cbc', algorithms.AES, 32, 16, 16)]


def keyed(digest, order):
    """Key, padded as the hash pads a text of its length; text; key (RFC 1828 3, RFC 1852 3)."""
    def compute(key, covered):
        fill = b'\x80' + bytes(55 - len(key)) + (8 * len(key)).to_bytes(8, order)
        return hashlib.new(digest, key + fill + covered + key).digest()
    return compute


AH_DIGESTS = [('keyed-md5', keyed('md5', 'little'), 16), ('keyed-sha1', keyed('sha1', 'big'), 20),
              ('hmac-md5', lambda key, covered: hmac.new(key, covered, 'md5').digest(), 16),
              ('hmac-sha1', lambda key, covered: hmac.new(key, covered, 'sha1').digest(), 20)]


class OldAssociation:
    """One SA; `tunnel` is the ends of the outer header, or None. Numbers are counted here: the wire has none."""

    def __init__(self, protocol, keys, spi, tunnel):
        self.protocol, self.keys, self.spi, self.tunnel = protocol, keys, spi, tunnel
        self.opened = 0

    def split(self, packet, outer):
        """(header to stand in front, what is protected, its protocol)."""
        ip = IP(packet)
        if self.tunnel:
            fields = {'ttl': 64, 'tos': ip.tos, 'flags': int(ip.flags) & 2, **outer}
            return IP(src=self.tunnel[0], dst=self.tunnel[1], proto=self.protocol, **fields), packet, IPV4
        payload, inside = raw(ip.payload), ip.proto
        ip.remove_payload()
        del ip.len, ip.chksum
        ip.proto = self.protocol
        return ip, payload, inside

    def joined(self, packet, payload, protocol):
        """The packet that was protected."""
        self.opened += 1
        if self.tunnel:
            if protocol != IPV4:
                raise Refused(f'a tunnel carries protocol {protocol}')
            return payload
        ip = IP(packet)
        ip.remove_payload()
        del ip.len, ip.chksum
        ip.proto = protocol
        return raw(ip / payload)


class OldEsp:
    """A cipher of ESP, which has no integrity then."""

    def __init__(self, setkey, algorithm, key_octets, block, iv_octets):
        self.setkey, self.algorithm, self.key_octets, self.block, self.iv_octets = setkey, algorithm, key_octets, block, iv_octets
        self.name = f'esp-old with {setkey}'

    def keys(self):
        return CHANCE.randbytes(self.key_octets)

    def add(self, ends, spi, mode, keys, _words=''):
        return [f'add {ends} esp-old {spi} -m {mode} -E {self.setkey} 0x{keys.hex()};']

    @staticmethod
    def requests(mode, ends):
        return f'esp/{mode}/{ends}/require'

    def association(self, keys, spi, tunnel, _esn):
        return OldEspAssociation(self, keys, spi, tunnel)

    def context(self, keys, iv):
        whole = iv if len(iv) != 4 else iv + bytes(0xff ^ octet for octet in iv)  # RFC 1829 2
        return Cipher(self.algorithm(keys), modes.CBC(whole))


class OldEspAssociation(OldAssociation):
    def __init__(self, suite, keys, spi, tunnel):
        super().__init__(ESP, keys, spi, tunnel)
        self.suite, self.iv_octets = suite, suite.iv_octets

    def build(self, packet, _sequence, iv=None, **outer):
        header, text, protocol = self.split(packet, outer)
        iv = iv or CHANCE.randbytes(self.iv_octets)
        padding = -(len(text) + 2) % self.suite.block
        text += bytes(range(1, padding + 1)) + bytes([padding, protocol])
        context = self.suite.context(self.keys, iv).encryptor()
        return raw(header / (struct.pack('!I', self.spi) + iv + context.update(text) + context.finalize()))

    def open(self, packet):
        payload = raw(IP(packet).payload)
        if struct.unpack('!I', payload[:4])[0] != self.spi:
            raise Refused(f'SPI {payload[:4].hex()}')
        iv, sealed = payload[4:4 + self.iv_octets], payload[4 + self.iv_octets:]
        context = self.suite.context(self.keys, iv).decryptor()
        text = context.update(sealed) + context.finalize()
        padding, protocol = text[-2], text[-1]
        return self.joined(packet, text[:-2 - padding], protocol), self.opened, iv


class OldAh:
    """A digest of AH, 128 bits of it."""

    def __init__(self, setkey, digest, key_octets):
        self.setkey, self.digest, self.key_octets = setkey, digest, key_octets
        self.name = f'ah-old with {setkey}'

    def keys(self):
        return CHANCE.randbytes(self.key_octets)

    def add(self, ends, spi, mode, keys, _words=''):
        return [f'add {ends} ah-old {spi} -m {mode} -A {self.setkey} 0x{keys.hex()};']

    @staticmethod
    def requests(mode, ends):
        return f'ah/{mode}/{ends}/require'

    def association(self, keys, spi, tunnel, _esn):
        return OldAhAssociation(self, keys, spi, tunnel)

    @staticmethod
    def reason(position):
        return {1: 'bad_ah_header', **dict.fromkeys(range(4, 8), 'unknown_spi')}.get(position, 'bad_icv')


class OldAhAssociation(OldAssociation):
    iv_octets = 0

    def __init__(self, suite, keys, spi, tunnel):
        super().__init__(AH, keys, spi, tunnel)
        self.suite = suite

    def digest_of(self, packet):
        """Over the packet with what routers change, and the digest, as zeroes (RFC 1826 3)."""
        ip = IP(packet)
        octets = bytearray(packet)
        octets[1], octets[6:9], octets[10:12] = 0, bytes(3), bytes(2)
        octets[ip.ihl * 4 + 8:ip.ihl * 4 + 8 + DIGEST_OCTETS] = bytes(DIGEST_OCTETS)
        return self.suite.digest(self.keys, bytes(octets))[:DIGEST_OCTETS]

    def build(self, packet, _sequence, _iv=None, **outer):
        header, text, protocol = self.split(packet, outer)
        start = struct.pack('!BBHI', protocol, DIGEST_OCTETS // 4, 0, self.spi)
        whole = raw(header / (start + bytes(DIGEST_OCTETS) + text))
        at = IP(whole).ihl * 4 + 8
        return whole[:at] + self.digest_of(whole) + whole[at + DIGEST_OCTETS:]

    def open(self, packet):
        payload = raw(IP(packet).payload)
        protocol, words, reserved, spi = struct.unpack('!BBHI', payload[:8])
        if (words, reserved, spi) != (DIGEST_OCTETS // 4, 0, self.spi):
            raise Refused(f'length {words}, reserved {reserved}, SPI {spi}')
        if payload[8:8 + DIGEST_OCTETS] != self.digest_of(packet):
            raise Refused('the digest is wrong')
        return self.joined(packet, payload[8 + DIGEST_OCTETS:], protocol), self.opened, b''


def old_esp_suites():
    return [OldEsp(*row) for row in ESP_CIPHERS]


def old_ah_suites():
    return [OldAh(*row) for row in AH_DIGESTS]
