"""Says what a capture of the wire between two gateways holds, and whether that is ESP and nothing else.

    wire.py CAPTURE GATEWAY GATEWAY --hidden TEXT [--ike]

Every frame must be ARP, or IPv4 with ESP between the two gateways, with --ike also UDP between their ports 500 or 4500; there must be ESP in both directions; TEXT, which went
through the tunnel, must be readable nowhere. Prints what was seen; exits 1 with the reason if the wire was not as it must be.
Reads the pcap files that tcpdump writes (link type Ethernet).
"""
import argparse
import collections
import ipaddress
import struct
import sys

ETHERTYPE_IPV4, ETHERTYPE_ARP = 0x0800, 0x0806
PROTOCOL_UDP, PROTOCOL_ESP = 17, 50
IKE_PORTS = (b'\x01\xf4', b'\x11\x94')  # 500 and 4500
PROTOCOL_NAMES = {1: 'ICMP', 6: 'TCP', 17: 'UDP', 51: 'AH'}
LINK_ETHERNET = 1


def frames(path):
    """Yields the octets kept of each frame. A record that the end of the file cuts short was still being written."""
    with open(path, 'rb') as file:
        header = file.read(24)
        magic, link = struct.unpack('<I16xI', header)
        if magic not in (0xa1b2c3d4, 0xa1b23c4d) or link != LINK_ETHERNET:
            raise ValueError(f'{path} is no pcap file of Ethernet frames')
        while len(record := file.read(16)) == 16:
            kept = struct.unpack('<8xI4x', record)[0]
            octets = file.read(kept)
            if len(octets) < kept:
                return
            yield octets


def describe(frame):
    """(kind, source, destination, detail) of a frame: kind is 'ESP', 'ARP' or whatever else it is."""
    ethertype = int.from_bytes(frame[12:14], 'big')
    if ethertype == ETHERTYPE_ARP:
        return 'ARP', '', '', ''
    if ethertype != ETHERTYPE_IPV4 or len(frame) < 34:
        return f'ethertype 0x{ethertype:04x}', '', '', ''
    source, destination = (str(ipaddress.IPv4Address(frame[at:at + 4])) for at in (26, 30))
    protocol = frame[23]
    if protocol == PROTOCOL_UDP and frame[34:36] == frame[36:38] and frame[34:36] in IKE_PORTS:
        return 'IKE', source, destination, ''
    if protocol != PROTOCOL_ESP:
        return PROTOCOL_NAMES.get(protocol, f'protocol {protocol}'), source, destination, ''
    payload = 14 + 4 * (frame[14] & 15)
    first = int.from_bytes(frame[20:22], 'big') & 0x1fff == 0
    return 'ESP', source, destination, f'spi 0x{frame[payload:payload + 4].hex()}' if first else 'fragment'


def faults(seen, gateways, readable, protected):
    """Yields why this wire is not ESP alone."""
    ways = {tuple(gateways), tuple(reversed(gateways))}
    for (kind, source, destination, _), count in seen.items():
        if kind == 'ARP' or (kind in protected and (source, destination) in ways):
            continue
        yield f'{count} packets in clear: {kind} {source} > {destination}'
    for way in sorted(ways):
        if not any(kind == 'ESP' and (source, destination) == way for kind, source, destination, _ in seen):
            yield f'no ESP packet {way[0]} > {way[1]}'
    if readable:
        yield f'{readable} packets let the hidden text be read'


def main():
    parser = argparse.ArgumentParser(description='what the wire between two gateways carried')
    parser.add_argument('capture')
    parser.add_argument('gateways', nargs=2)
    parser.add_argument('--hidden', required=True, help='text that must not be readable')
    parser.add_argument('--ike', action='store_true', help='the gateways speak IKE, too')
    told = parser.parse_args()
    protected = ('ESP', 'IKE') if told.ike else ('ESP',)

    seen, readable = collections.Counter(), 0
    for frame in frames(told.capture):
        seen[describe(frame)] += 1
        readable += told.hidden.encode() in frame
    for (kind, source, destination, detail), count in sorted(seen.items()):
        print(f'{count:8} {kind:5} {source + " > " + destination if source else ""}  {detail}'.rstrip())
    wrong = list(faults(seen, told.gateways, readable, protected))
    for why in wrong:
        print(f'wire: {why}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
