"""IPv6, and tunnels of one family inside the other: what ESP and AH owe in IPv4 they owe there too (RFC 4301 5.1.2)."""
import ah_cases
from ah_peer import ah_suites, bundles
from checks import check_delivered, check_protected, check_refused
from every_suite import crosses, opens, pings, protects, refuses
from gateway import OFFICE
from modes import (IPV4, IPV6, TRANSPORT6, TUNNEL6, Tunnel, arrive, framed, inbound_sa, install, outbound_sa,
                   some_packets)

MODES = [TUNNEL6, Tunnel(IPV4, IPV6), Tunnel(IPV6, IPV4), TRANSPORT6]
TUNNELS = MODES[:3]


def outer_headers(gateway, suite, mode):
    """Every DSCP and ECN: check_protected compares them with the packet inside. No tunnel shows a flow label."""
    statements, association = outbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    pairs = [mode.leaving(40, tos=tos) for tos in range(256)]
    result = gateway.carry(OFFICE, [framed(sent) for sent, _ in pairs])
    check_protected(result, association, [expected for _, expected in pairs])


def congestion(gateway, suite, mode):
    """Each ECN inside with each ECN outside, against the table of RFC 6040 4.2."""
    dropped = 9
    arrives = [[0, 0, 0, dropped], [1, 1, 1, 3], [2, 1, 2, 3], [3, 3, 3, 3]]  # what is inside: under each outside
    statements, association = inbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    for inside, row in enumerate(arrives):
        for outside, arrived in enumerate(row):
            sent, _ = mode.arriving(30, tos=0x48 | inside)
            packet = association.build(sent, 4 * inside + outside + 1, tos=0xb8 | outside, ttl=3)
            if arrived == dropped:
                check_refused(arrive(gateway, [packet]), bad_ecn=1)
            else:
                check_delivered(arrive(gateway, [packet]), [mode.arriving(30, tos=0x48 | arrived)[1]], mode)


def clear_text(gateway, suite, mode):
    install(gateway, *inbound_sa(suite, mode, suite.keys())[0])
    pairs = some_packets(mode.arriving)
    check_refused(arrive(gateway, [sent for sent, _ in pairs]), policy_mismatch=len(pairs))


def run_suite(results, suite):
    for mode in MODES:
        about = f'{mode.title}, with {suite.name}'
        results.case(f'the gateway opens packets of {about}', opens, suite, mode)
        results.case(f'the gateway builds packets of {about}', protects, suite, mode)
        results.case(f'no altered octet passes in {about}', refuses, suite, mode)
        results.case(f'the gateway opens packets with extended sequence numbers in {about}', opens, suite, mode, True)
        results.case(f'the gateway builds packets with extended sequence numbers in {about}', protects, suite, mode, True)
    results.case(f'a ping passes through {TRANSPORT6.title} with {suite.name}', pings, suite, TRANSPORT6)


def run(results, few):
    for suite in [*few, *ah_suites()]:
        run_suite(results, suite)
    for suite in [few[-1], ah_suites()[2]]:
        for mode in TUNNEL6, TRANSPORT6:
            about = f'in {mode.title}, with {suite.name}'
            results.case(f'the ICV covers extended sequence numbers {about}', refuses, suite, mode, True)
            results.case(f'extended sequence numbers pass 2^32 {about}', crosses, suite, mode)
        for mode in TUNNELS:
            about = f'in {mode.title}, with {suite.name}'
            results.case(f'the tunnel header carries DSCP and ECN of the packet {about}', outer_headers, suite, mode)
            results.case(f'congestion met by the tunnel reaches the packet as RFC 6040 says {about}', congestion, suite, mode)
            results.case(f'clear text is refused where the policy requires a tunnel {about}', clear_text, suite, mode)
    for bundle in bundles(few[1:2]):
        for mode in MODES:
            about = f'{bundle.about(mode.name)}, {mode.title},'
            results.case(f'{about} is opened', opens, bundle, mode)
            results.case(f'{about} is built', protects, bundle, mode)
            results.case(f'{about} is not satisfied by one of the two', ah_cases.needs_both, bundle, mode)
