"""Extension headers of IPv6 and transport mode: where IPsec stands among them (RFC 4303 3.1.1), what AH allows to change in
them (RFC 4302 3.3.3.1.2), and fragments (RFC 8200 4.5).

The host of the office speaks to their gateway itself, and their gateway to the machine that ours runs on, whose door is
a port of the gateway. Packets are handed over whole there, as they were sent.
"""
from checks import check, check_same
from gateway import HOST, OFFICE
from modes import (FAR6, NEAR6, OUR_SPI, OURS6, THEIR_SPI, THEIRS6, TUNNEL6, Tunnel, arrive, data, framed, inbound_sa,
                   install, outbound_sa)
from peer import CHANCE, IPv6, Refused, parsed, raw
from scapy.layers.inet import UDP
from scapy.layers.inet6 import (HBHOptUnknown, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting)

ROUTING, FRAGMENT, UDP_NUMBER, IN_IPV6 = 43, 44, 17, 41
STAYS, CHANGES = 0x1e, 0x3e  # types of options that nobody knows: the bit 0x20 tells which routers may change
WAYPOINT = '2001:db8:77::1'


def options(header, kind):
    """An extension header of 8 octets with one option of 4."""
    return header(options=[HBHOptUnknown(otype=kind, optlen=4, optdata=b'abcd')], autopad=0)


def hop_by_hop(kind=CHANGES):
    return options(IPv6ExtHdrHopByHop, kind)


def destination(kind=STAYS):
    return options(IPv6ExtHdrDestOpt, kind)


def routing():
    """In its last form: the way led over WAYPOINT. Of type 2, for type 0 is refused."""
    return IPv6ExtHdrRouting(type=2, segleft=0, addresses=[WAYPOINT])


# In front of UDP, where scapy and the gateway put IPsec in the same place.
CHAINS = {
    'hop-by-hop options': lambda: [hop_by_hop()],
    'hop-by-hop options that stay': lambda: [hop_by_hop(STAYS)],
    'a routing header in its last form': lambda: [routing()],
    'hop-by-hop options, a routing header and destination options behind it': lambda: [hop_by_hop(), routing(), destination()],
    'destination options in front of a routing header and behind it':
        lambda: [destination(CHANGES), routing(), destination()],
}


def packet(source, destination_address, headers, hops=64, inside=None):
    """IPv6 | headers | UDP, or the IPv6 packet `inside`; each names the next."""
    layers = [IPv6(src=source, dst=destination_address, hlim=hops, tc=0xb8, fl=0x54321), *headers]
    numbers = {IPv6ExtHdrHopByHop: 0, IPv6ExtHdrRouting: ROUTING, IPv6ExtHdrDestOpt: 60}
    for layer, behind in zip(layers, [*headers, None]):
        layer.nh = numbers.get(type(behind), IN_IPV6 if inside else UDP_NUMBER)
    whole = layers[0]
    for layer in layers[1:]:
        whole /= layer
    return raw(whole / (inside or UDP(sport=4000, dport=5000) / data(100)))


def both_ways(gateway, suite):
    """Transport mode SAs from the office's host to their gateway, and from their gateway to this machine."""
    keys = suite.keys(), suite.keys()
    install(gateway, *suite.add(f'{NEAR6} {THEIRS6}', OUR_SPI, 'transport', keys[0]),
            *suite.add(f'{THEIRS6} {OURS6}', THEIR_SPI, 'transport', keys[1]),
            f'spdadd {NEAR6} {THEIRS6} any -P out ipsec {suite.requests("transport", "")};',
            f'spdadd {THEIRS6} {OURS6} any -P in ipsec {suite.requests("transport", "")};')
    return (suite.association(keys[0], OUR_SPI, None, False), suite.association(keys[1], THEIR_SPI, None, False))


def check_handed_over(result, packets):
    """A carry() after which exactly `packets` stand before the machine's own door."""
    office, world, host, drops = result
    check(not office and not world and not drops, f'{len(office) + len(world)} packets left, dropped: {dict(drops)}')
    check(len(host) == len(packets), f'{len(packets)} packets should have been handed over, and {len(host)} were')
    for frame, expected in zip(host, packets):
        check_same('the packet', frame[14:], expected)


def check_none_passed(result, **reasons):
    *sides, drops = result
    check(not any(sides), f'a packet passed, dropped: {dict(drops)}')
    check(drops == reasons, f'dropped {dict(drops)}, and should be {reasons}')


def from_office(gateway, octets):
    """The one packet that leaves for the world when `octets` come from the office."""
    office, world, host, drops = gateway.carry(OFFICE, [framed(octets)])
    check(len(world) == 1 and not office and not host and not drops, f'{len(world)} packets left, dropped: {dict(drops)}')
    return world[0][14:]


def stays_in_front(gateway, suite, headers):
    """Both ways, and what scapy builds is octet for octet what the gateway builds."""
    ours, theirs = both_ways(gateway, suite)
    wire = from_office(gateway, packet(NEAR6, THEIRS6, headers()))
    try:
        text, _, iv = ours.open(wire)
    except Refused as why:
        check(False, str(why))
    expected = packet(NEAR6, THEIRS6, headers(), hops=63)
    check_same('the packet inside', text, expected)
    check_same('the packet on the wire', wire, ours.build(expected, 1, iv))
    sent = packet(THEIRS6, OURS6, headers())
    check_handed_over(arrive(gateway, [theirs.build(sent, 1)]), [sent])


def last_options(gateway, suite):
    """Destination options alone are for the last receiver, so the gateway protects them. A peer may stand behind them instead."""
    ours, theirs = both_ways(gateway, suite)
    wire = from_office(gateway, packet(NEAR6, THEIRS6, [destination()]))
    check(wire[6] in (50, 51), f'the first header is {wire[6]}')
    text, _, _ = ours.open(wire)
    check_same('the packet inside', text, packet(NEAR6, THEIRS6, [destination()], hops=63))
    sent = packet(THEIRS6, OURS6, [destination()])
    check_handed_over(arrive(gateway, [theirs.build(sent, 1)]), [sent])


def routed_by_them(gateway, suite):
    """Scapy signs the routing header as it will arrive; on its way it is exchanged with the destination (RFC 4302 3.3.3.1.2.3)."""
    _, theirs = both_ways(gateway, suite)
    ahead = IPv6ExtHdrRouting(type=2, segleft=1, addresses=[OURS6])
    signed = theirs.build(packet(THEIRS6, WAYPOINT, [hop_by_hop(), ahead]), 1)
    arrived = IPv6(signed)
    header = arrived[IPv6ExtHdrRouting]
    arrived.dst, header.addresses, header.segleft = OURS6, [WAYPOINT], 0
    arrived = raw(arrived)
    check(len(arrived) == len(signed), 'scapy changed the length')
    sent = packet(THEIRS6, OURS6, [hop_by_hop(), routing()])
    check_handed_over(arrive(gateway, [arrived]), [sent])
    ours = packet(NEAR6, THEIRS6, [IPv6ExtHdrRouting(type=2, segleft=1, addresses=[WAYPOINT])])
    check_none_passed(gateway.carry(OFFICE, [framed(ours)]), source_route=1)


# Octets of packet(hop-by-hop, routing, destination options) in AH: name, where, the bits, whether it may change.
MUTABILITY = [
    ('the traffic class', 0, 0x0f, True), ('the flow label', 3, 0xff, True), ('the hop limit', 7, 0x1f, True),
    ('the source', 23, 4, False), ('the data of an option that may change', 45, 0xff, True),
    ("that option's type", 42, 1, False), ('the routing header', 48 + 23, 4, False),
    ('the reserved field of AH', 72 + 2, 1, False), ('options behind AH', 72 + 24 + 5, 1, False),
]


def on_the_way(gateway, suite):
    for name, at, bits, may_change in MUTABILITY:
        _, theirs = both_ways(gateway, suite)
        whole = bytearray(theirs.build(packet(THEIRS6, OURS6, [hop_by_hop(), routing(), destination()]), 1))
        whole[at] ^= bits
        *sides, drops = arrive(gateway, [bytes(whole)])
        passed = len(sides[HOST]) == 1 and not drops
        check(passed if may_change else drops == {'bad_icv': 1}, f'{name}: {"passed" if passed else dict(drops)}')


def in_front_of_a_tunnel(gateway, suite):
    """Headers between the outer one and ESP or AH; the packet inside has its own."""
    mode = TUNNEL6
    statements, _ = inbound_sa(suite, mode, keys := suite.keys())
    install(gateway, *statements)
    bare = suite.association(keys, THEIR_SPI, None, False)  # transport mode around IPv6 in IPv6 is a tunnel
    for number, headers in enumerate(([hop_by_hop()], [destination(CHANGES), routing()], [hop_by_hop(), routing()]), 1):
        inside = [packet(FAR6, mode.near, [hop_by_hop(), destination()], hops=hops) for hops in (61, 60)]
        whole = packet(THEIRS6, OURS6, headers, inside=inside[0])
        result = arrive(gateway, [bare.build(whole, number)])
        office, world, host, drops = result
        check(len(office) == 1 and not world and not host and not drops, f'{len(office)} packets came out, dropped: {dict(drops)}')
        check_same('the packet', office[0][14:], inside[1])


# ---- fragments

def cut(octets, at):
    """`octets`, an IPv6 packet without extension headers, in fragments that begin at the places `at` of its payload."""
    whole = IPv6(octets)
    payload, kind = octets[40:], whole.nh
    identification = CHANCE.getrandbits(32)
    ends = [*at[1:], len(payload)]
    return [raw(IPv6(src=whole.src, dst=whole.dst, hlim=whole.hlim, tc=whole.tc, fl=whole.fl)
                / IPv6ExtHdrFragment(nh=kind, offset=start // 8, m=int(end != len(payload)), id=identification)
                / payload[start:end]) for start, end in zip(at, ends)]


def fragments_are_joined(gateway, suite, mode):
    """IPsec packets that were cut on their way, in order and not; one altered octet spoils them."""
    statements, association = inbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    for sequence, order in enumerate(((0, 1, 2), (2, 0, 1), (1, 2, 0)), 1):
        sent, expected = mode.arriving(700)
        parts = cut(association.build(sent, sequence), [0, 256, 512])
        *sides, drops = arrive(gateway, [parts[i] for i in order])
        check(not drops and sum(map(len, sides)) == 1, f'{sum(map(len, sides))} packets came out, dropped: {dict(drops)}')
        check_same('the packet', sides[mode.exit][0][14:], expected)
    parts = cut(association.build(mode.arriving(700)[0], 9), [0, 256, 512])
    parts[1] = parts[1][:100] + bytes([parts[1][100] ^ 1]) + parts[1][101:]
    check_none_passed(arrive(gateway, parts), bad_icv=1)


def fragments_that_overlap(gateway, suite):
    """RFC 5722: the whole packet is discarded, also what comes later of it."""
    statements, association = inbound_sa(suite, TUNNEL6, suite.keys())
    install(gateway, *statements)
    packet_of_theirs = association.build(TUNNEL6.arriving(700)[0], 1)
    parts = cut(packet_of_theirs, [0, 256, 512])
    payload = packet_of_theirs[40:]
    over = parts[1][:48] + payload[256:520]
    over = over[:4] + (len(over) - 40).to_bytes(2, 'big') + over[6:]
    *sides, drops = arrive(gateway, [parts[0], parts[2], over])
    check(not any(sides) and set(drops) == {'fragment_overlap'}, f'{sum(map(len, sides))} came out, dropped: {dict(drops)}')


def fragments_inside(gateway, suite, mode):
    """The fragments of a host pass a tunnel as they are, each by itself."""
    fragments = [parsed(part) for part in cut(mode.packet(64, src=mode.near, dst=mode.far, ttl=64), [0, 24, 48])]
    statements, association = outbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    for number, fragment in enumerate(fragments, 1):
        wire = from_office(gateway, raw(fragment))
        text, sequence, _ = association.open(wire)
        fragment.hlim = 63
        check(sequence == number, f'sequence number {sequence}')
        check_same('the fragment', text, raw(fragment))
    statements, association = inbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    for number, fragment in enumerate(cut(mode.packet(64, src=mode.far, dst=mode.near, ttl=61), [0, 24, 48]), 1):
        office, _, _, drops = arrive(gateway, [association.build(fragment, number)])
        check(len(office) == 1 and not drops, f'{len(office)} fragments came out, dropped: {dict(drops)}')
        check_same('the fragment', office[0][14:], fragment[:7] + bytes([60]) + fragment[8:])


def cut_by_the_gateway(gateway, suite):
    """An IPv4 packet that may be cut and does not fit its IPv6 tunnel: ESP or AH goes in fragments, which scapy joins."""
    mode = Tunnel(4, 6)
    statements, association = outbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    sent, expected = mode.leaving(1560)
    office, world, _, drops = gateway.carry(OFFICE, [framed(sent)])
    check(len(world) == 2 and not office and not drops, f'{len(world)} packets left, dropped: {dict(drops)}')
    parts = [IPv6(frame[14:]) for frame in world]
    check(all(part.nh == FRAGMENT for part in parts), 'they are no fragments')
    first = parts[0][IPv6ExtHdrFragment]
    payload = b''.join(raw(part[IPv6ExtHdrFragment].payload) for part in parts)
    check((first.offset, first.m, parts[1][IPv6ExtHdrFragment].m) == (0, 1, 0), 'offsets or flags are wrong')
    check(parts[1][IPv6ExtHdrFragment].offset * 8 == len(raw(first.payload)), 'the second does not follow the first')
    text, _, _ = association.open(raw(IPv6(src=parts[0].src, dst=parts[0].dst, nh=first.nh, hlim=64) / payload))
    check_same('the packet inside', text, expected)


def transport_refuses_fragments(gateway, suite):
    both_ways(gateway, suite)
    parts = cut(packet(NEAR6, THEIRS6, []), [0, 64])
    check_none_passed(gateway.carry(OFFICE, [framed(part) for part in parts]), fragment_in_transport=2)


def run(results, few, ah):
    for suite in (few[-1], few[0], ah):
        about = f'with {suite.name}'
        for name, headers in CHAINS.items():
            results.case(f'transport mode leaves {name} in front {about}', stays_in_front, suite, headers)
        results.case(f'destination options for the last receiver are protected {about}', last_options, suite)
        results.case(f'headers may stand between a tunnel\'s outer header and IPsec {about}', in_front_of_a_tunnel, suite)
        for mode in TUNNEL6, Tunnel(4, 6):
            results.case(f'IPsec that arrives in IPv6 fragments is put together, {mode.title}, {about}', fragments_are_joined,
                         suite, mode)
        results.case(f'IPv6 fragments that overlap spoil their packet (RFC 5722) {about}', fragments_that_overlap, suite)
        results.case(f'fragments of a host pass an IPv6 tunnel as they are {about}', fragments_inside, suite, TUNNEL6)
        results.case(f'what its IPv6 tunnel makes too big is cut behind IPsec, and scapy joins it {about}', cut_by_the_gateway,
                     suite)
        results.case(f'transport mode takes no IPv6 fragments {about}', transport_refuses_fragments, suite)
    results.case('AH signs a routing header as it will arrive, and takes one in its last form alone', routed_by_them, ah)
    results.case('AH over IPv6 allows for what routers change, and for nothing else', on_the_way, ah)
