"""What the oracle's cases expect of a carry() of the gateway; Wrong says what it was instead."""
from gateway import WORLD
from modes import ETHERTYPES, FROM_GATEWAY, IPV4
from peer import Refused, parsed


class Wrong(Exception):
    """A case failed; the text says why."""


def check(true, why):
    if not true:
        raise Wrong(why)


def check_same(what, octets, expected):
    at = next((i for i, (a, b) in enumerate(zip(octets, expected)) if a != b), min(len(octets), len(expected)))
    check(octets == expected, f'{what} of {len(octets)} octets (expected: {len(expected)}) differs from octet {at} on: '
                              f'{octets[at:at + 16].hex()} instead of {expected[at:at + 16].hex()}')


def check_frames(frames, packets, port):
    """`frames`, which left by `port`, carry exactly `packets`."""
    check(len(frames) == len(packets), f'{len(packets)} packets should have left, and {len(frames)} did')
    for number, (frame, packet) in enumerate(zip(frames, packets), 1):
        check(frame[:14] == FROM_GATEWAY[port] + ETHERTYPES[packet[0] >> 4],
              f'packet {number} has the Ethernet header {frame[:14].hex()}')
        check_same(f'packet {number}', frame[14:], packet)


def check_delivered(result, packets, mode):
    """A carry() that delivered `packets` in clear, and nothing else."""
    office, world, drops = result
    check(not drops, f'packets were dropped: {dict(drops)}')
    check_frames((office, world)[mode.exit], packets, mode.exit)
    check(mode.exit == WORLD or not world, 'something left by the world')


def check_refused(result, **reasons):
    """A carry() from which nothing left, for exactly these reasons."""
    office, world, drops = result
    check(not office and not world, f'{len(office) + len(world)} packets passed, dropped: {dict(drops)}')
    check(drops == reasons, f'dropped {dict(drops)}, and should be {reasons}')


def check_protected(result, association, packets):
    """A carry() from which `packets` left for the world that scapy opens, and as scapy would have written them.
    Building them again with the same IV compares the outer header, SPI, padding, next header and ICV too."""
    office, world, drops = result
    check(not office and not drops, f'{len(office)} packets left by the office, dropped: {dict(drops)}')
    check(len(world) == len(packets), f'{len(packets)} packets should have left, and {len(world)} did')
    ivs = set()
    for number, (frame, packet) in enumerate(zip(world, packets), 1):
        try:
            inside, sequence, iv = association.open(frame[14:])
        except Refused as why:
            raise Wrong(f'packet {number}: {why}') from why
        check_same(f'the text of packet {number}', inside, packet)
        check(sequence == number, f'packet {number} has the sequence number {sequence}')
        ivs.add(iv)
        wire = parsed(frame[14:])
        again = association.build(inside, sequence, iv, **({'id': wire.id} if wire.version == IPV4 else {}))
        check_frames([frame], [again], WORLD)
    check(len(ivs) == len(packets) or association.iv_octets == 0, f'{len(packets)} packets have {len(ivs)} IVs')
