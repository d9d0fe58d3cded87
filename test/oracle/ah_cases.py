"""What AH alone can be asked: which fields its ICV covers (RFC 4302 3.3.3.1, appendix A1), and its place in a bundle."""
import struct

from checks import check_delivered, check_refused
from modes import TRANSPORT, arrive, inbound_sa, install
from peer import IP, raw
from scapy.layers.inet import IPOption_RR, IPOption_Router_Alert, IPOption_Timestamp


def on_the_way(packet, **fields):
    """`packet` with fields of its IP header changed by somebody who corrects the checksum."""
    ip = IP(packet)
    for name, value in fields.items():
        setattr(ip, name, value)
    del ip.chksum
    return raw(ip)


def routed(gateway, suite, mode):
    """TTL, TOS and DF change on the way: the packet is taken, as it is then."""
    statements, association = inbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    sequence = 0
    for change in ({'ttl': 3}, {'ttl': 255}, {'tos': 0xb8}, {'tos': 0x04}, {'flags': 2}, {'tos': 0x28, 'flags': 2, 'ttl': 1}):
        sequence += 1
        sent, expected = mode.arriving(64)
        if mode is TRANSPORT:  # the header that changes is the request's own, and the reply is made from it
            _, expected = mode.arriving(64, **{name: value for name, value in change.items() if name != 'ttl'})
        check_delivered(arrive(gateway, [on_the_way(association.build(sent, sequence), **change)]), [expected], mode)


def rewritten(gateway, suite, mode):
    """Identification and source may not change; nor may the header's protocol or destination, for which there is no SA."""
    statements, association = inbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    packet = association.build(mode.arriving(64)[0], 1)
    check_refused(arrive(gateway, [on_the_way(packet, id=999)]), bad_icv=1)
    check_refused(arrive(gateway, [on_the_way(packet, src='20.0.0.3')]), bad_icv=1)
    check_refused(arrive(gateway, [on_the_way(packet, dst='10.0.1.1')]), unknown_spi=1)
    check_delivered(arrive(gateway, [packet]), [mode.arriving(64)[1]], mode)


# Options of 40 octets at most: record route and timestamp fill on the way, router alert stays.
ALERT, ROUTE, TIMES = IPOption_Router_Alert(), IPOption_RR(routers=['0.0.0.0'] * 2), IPOption_Timestamp(length=12, pointer=9)


def with_header_options(gateway, suite, mode):
    """Options stand in the header that AH authenticates: the tunnel's own, or the packet's in transport mode."""
    statements, association = inbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    for sequence, options in enumerate([[ALERT], [ROUTE], [TIMES], [ALERT, ROUTE, TIMES]], 1):
        packet, expected = authenticated(association, mode, sequence, options)
        check_delivered(arrive(gateway, [packet]), [expected], mode)


def authenticated(association, mode, sequence, options):
    """A packet with `options` where AH sees them, and what must be delivered."""
    if mode is TRANSPORT:
        sent, expected = mode.arriving(64, options=options)
        return association.build(sent, sequence), expected
    sent, expected = mode.arriving(64)
    return association.build(sent, sequence, options=options), expected


def options_on_the_way(gateway, suite, mode):
    """A router that records itself and the time is allowed for; one that alters an alert is not (appendix A1)."""
    statements, association = inbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    packet, expected = authenticated(association, mode, 1, [ALERT, ROUTE, TIMES])
    alert, route, times = 20, 24, 24 + 11
    if packet[alert] != 148 or packet[route] != 7 or packet[times] != 68:
        raise ValueError('scapy lays the options out in another way')
    check_refused(arrive(gateway, [overwritten(packet, alert + 3, b'\x01')]), bad_icv=1)
    recorded = overwritten(packet, route + 2, struct.pack('!B4B', 8, 192, 0, 2, 1))
    recorded = overwritten(recorded, times + 2, struct.pack('!BB4xI', 13, 0, 4711))
    if mode is TRANSPORT:  # the reply returns what was recorded (RFC 1122 3.2.2.6)
        expected = overwritten(overwritten(expected, route + 2, recorded[route + 2:route + 7]),
                               times + 2, recorded[times + 2:times + 12])
    check_delivered(arrive(gateway, [recorded]), [expected], mode)


def overwritten(packet, at, octets):
    """`packet` with `octets` at `at` in its IP header, and the checksum right again."""
    return on_the_way(packet[:at] + octets + packet[at + len(octets):])


def needs_both(gateway, bundle, mode):
    """ESP without AH around it, and AH without ESP inside, where the policy requires both."""
    keys = bundle.keys()
    statements, association = inbound_sa(bundle, mode, keys)
    install(gateway, *statements)
    sent, expected = mode.arriving(64)
    check_refused(arrive(gateway, [association.esp.build(sent, 1)]), policy_mismatch=1)
    if mode.name == 'transport':
        check_refused(arrive(gateway, [association.ah.build(sent, 1)]), policy_mismatch=1)
    check_delivered(arrive(gateway, [association.build(sent, 2)]), [expected], mode)


def run(results, suite, mode):
    about = f'in {mode.name} mode with {suite.name}'
    results.case(f'TTL, DSCP, ECN and DF may change on the way {about}', routed, suite, mode)
    results.case(f'identification and addresses may not {about}', rewritten, suite, mode)
    results.case(f'headers with router alert, record route and timestamp are authenticated {about}', with_header_options,
                 suite, mode)
    results.case(f'what routers record in options does not break the ICV {about}', options_on_the_way, suite, mode)
