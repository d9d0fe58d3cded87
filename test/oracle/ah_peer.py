"""Scapy's Authentication Header, and bundles of ESP within AH, each in the shape of a suite and an association of peer.py."""
from peer import AUTHS, CHANCE, Refused, parsed, raw, tunnel_header
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6ExtHdrRouting
from scapy.layers.ipsec import AH, AuthAlgo, IPSecIntegrityError, SecurityAssociation
from scapy.packet import Raw


class AhSuite:
    """An authenticator of the gateway's registry, as AH uses it."""

    def __init__(self, auth):
        self.auth = auth
        self.name = f'AH with {auth.setkey}'

    def keys(self):
        return CHANCE.randbytes(self.auth.key_octets)

    def add(self, ends, spi, mode, keys, words=''):
        return [f'add {ends} ah {spi} -m {mode} {words} -A {self.auth.setkey} 0x{keys.hex()};']

    @staticmethod
    def requests(mode, ends):
        return f'ah/{mode}/{ends}/require'

    def association(self, keys, spi, tunnel, esn):
        return AhAssociation(self, keys, spi, tunnel, esn)

    @staticmethod
    def reason(position):
        return {1: 'bad_ah_header', **dict.fromkeys(range(4, 8), 'unknown_spi')}.get(position, 'bad_icv')


class AhAssociation:
    """Scapy's half of an SA of AH."""
    iv_octets = 0

    def __init__(self, suite, keys, spi, tunnel, esn):
        self.tunnel = tunnel
        self.scapy = SecurityAssociation(AH, spi=spi, auth_algo=suite.auth.scapy, auth_key=keys, esn_en=esn)
        self.scapy.auth_algo = AuthOverEsp(self.scapy.auth_algo)

    def build(self, packet, sequence, _iv=None, **outer):
        """`packet` behind an AH. The outer header of a tunnel takes DSCP, ECN and DF from it unless `outer` says more."""
        if self.tunnel:
            self.scapy.tunnel_header = tunnel_header(self.tunnel, packet, **outer)
        self.scapy.esn, self.scapy.seq_num = sequence >> 32, sequence & 0xffffffff
        packet = parsed(packet)
        arrived = IPv6ExtHdrRouting in packet and packet[IPv6ExtHdrRouting].segleft == 0
        if arrived:  # scapy signs as a sender does, who knows the last form and sends the first (RFC 4302 3.3.3.1.2.3)
            turn_routing(packet, 1)
        signed = self.scapy.encrypt(packet)
        if arrived:
            signed = parsed(raw(signed))
            turn_routing(signed, 0)
        return raw(signed)

    def open(self, packet):
        """What was behind the AH of `packet`, its sequence number, and no IV. Raises Refused."""
        sequence = parsed(packet)[AH].seq
        self.scapy.tunnel_header = IP() if self.tunnel else None
        self.scapy.esn = 0
        try:
            return raw(self.scapy.decrypt(parsed(packet))), sequence, b''
        except (IPSecIntegrityError, TypeError, ValueError, IndexError) as why:
            raise Refused(f'scapy refuses it: {why}') from why


def turn_routing(packet, segments_left):
    """Exchanges the destination with the one address of the routing header."""
    header = packet[IPv6ExtHdrRouting]
    packet.dst, header.addresses = header.addresses[0], [packet.dst]
    header.segleft = segments_left


class AuthOverEsp(AuthAlgo):
    """Takes what stands behind the AH for what it is: octets. Scapy's own would sign an ESP that it finds there instead."""

    def __init__(self, plain):
        super().__init__(plain.name, plain.mac, plain.digestmod, plain.icv_size)

    def sign(self, pkt, key, esn_en=False, esn=0):
        octets = raw(pkt[AH].payload)
        pkt[AH].remove_payload()
        return super().sign(pkt / Raw(octets), key, esn_en, esn)


class Bundle:
    """ESP, and AH in transport mode around it: the first request is the innermost."""

    def __init__(self, esp, ah):
        self.esp, self.ah = esp, ah
        self.name = f'{esp.name} within {ah.name}'

    def about(self, mode):
        return f'`esp/{mode} ah/transport` of {self.name}'

    def keys(self):
        return self.esp.keys(), self.ah.keys()

    def add(self, ends, spi, mode, keys, words=''):
        return self.esp.add(ends, spi, mode, keys[0], words) + self.ah.add(ends, spi, 'transport', keys[1], words)

    def requests(self, mode, ends):
        return f'{self.esp.requests(mode, ends)} {self.ah.requests("transport", "")}'

    def association(self, keys, spi, tunnel, esn):
        return BundleAssociation(self.esp.association(keys[0], spi, tunnel, esn), self.ah.association(keys[1], spi, None, esn))

    def reason(self, position):
        return self.ah.reason(position)


class BundleAssociation:
    """Both transforms with one sequence number, as for packets that are the first of both."""

    def __init__(self, esp, ah):
        self.esp, self.ah = esp, ah
        self.iv_octets = esp.iv_octets

    def build(self, packet, sequence, iv=None, **outer):
        return self.ah.build(self.esp.build(packet, sequence, iv, **outer), sequence)

    def open(self, packet):
        inside, sequence, _ = self.ah.open(packet)
        text, inner_sequence, iv = self.esp.open(inside)
        if inner_sequence != sequence:
            raise Refused(f'AH has sequence number {sequence}, and ESP {inner_sequence}')
        return text, sequence, iv


def ah_suites():
    return [AhSuite(auth) for auth in AUTHS]


def bundles(few):
    """Each of a few ESP suites within AH."""
    return [Bundle(esp, AhSuite(AUTHS[2])) for esp in few]
