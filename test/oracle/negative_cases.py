"""What must not pass though its sender holds the keys: SAs that the two sides see differently, in either family."""
from checks import check, check_delivered, check_refused
from modes import (IPV4, IPV6, THEIR_SPI, TRANSPORT, TRANSPORT6, TUNNEL, TUNNEL6, Tunnel, arrive, inbound_policy, inbound_sa,
                   install)


def another_algorithm(gateway, suite, mode, other):
    """Keys and SPI are right; the peer uses them with another suite."""
    keys, others = suite.keys(), other.keys()
    statements, association = inbound_sa(suite, mode, keys)
    install(gateway, *statements)
    strange = other.association(others, THEIR_SPI, mode.ends(mode.theirs, mode.ours), False)
    sent, expected = mode.arriving(64)
    *sides, drops = arrive(gateway, [strange.build(sent, 1)])
    check(not any(sides) and set(drops) <= {'bad_icv', 'esp_truncated', 'bad_ah_header'}, f'dropped {dict(drops)}')
    check_delivered(arrive(gateway, [association.build(sent, 1)]), [expected], mode)


def swapped_spis(gateway, suite, mode):
    """Two SAs whose SPIs the peer has confused: the ICV of the one fails under the key of the other."""
    first, second = suite.keys(), suite.keys()
    ends = f'{mode.theirs} {mode.ours}'
    install(gateway, *suite.add(ends, 0x2001, mode.name, first, '-r 8'), *suite.add(ends, 0x2002, mode.name, second, '-r 8'),
            inbound_policy(suite, mode))
    sent, expected = mode.arriving(64)
    tunnel = mode.ends(mode.theirs, mode.ours)
    crossed = [suite.association(first, 0x2002, tunnel, False), suite.association(second, 0x2001, tunnel, False)]
    check_refused(arrive(gateway, [association.build(sent, 1) for association in crossed]), bad_icv=2)
    right = [suite.association(first, 0x2001, tunnel, False), suite.association(second, 0x2002, tunnel, False)]
    check_delivered(arrive(gateway, [association.build(sent, 1) for association in right]), [expected] * 2, mode)


def another_mode(gateway, suite, tunnel, transport):
    """A tunnel packet on an SA of transport mode, and the other way round; both authentic."""
    keys = suite.keys()
    statements, _ = inbound_sa(suite, transport, keys)
    install(gateway, *statements)
    tunnelled = suite.association(keys, THEIR_SPI, tunnel.ends(tunnel.theirs, tunnel.ours), False)
    *sides, drops = arrive(gateway, [tunnelled.build(tunnel.arriving(64)[0], 1)])
    check(not any(sides) and sum(drops.values()) == 1, f'{sum(map(len, sides))} came out, dropped: {dict(drops)}')
    statements, _ = inbound_sa(suite, tunnel, keys)
    install(gateway, *statements)
    plain = suite.association(keys, THEIR_SPI, None, False)
    check_refused(arrive(gateway, [plain.build(transport.arriving(64)[0], 1)]), bad_inner_protocol=1)


def another_family(gateway, suite, right, wrong):
    """A tunnel that brings packets of a family whose policy asks for another tunnel."""
    keys = suite.keys()
    statements, association = inbound_sa(suite, right, keys)
    install(gateway, *statements, inbound_policy(suite, Tunnel(wrong.inside, wrong.inside)))
    check_refused(arrive(gateway, [association.build(wrong.arriving(64)[0], 1)]), policy_mismatch=1)
    check_delivered(arrive(gateway, [association.build(right.arriving(64)[0], 2)]), [right.arriving(64)[1]], right)


def last_numbers(gateway, suite, mode):
    """Sequence numbers up to 2^32 - 1 pass; what would come next is number 0, which no packet has (RFC 4303 3.3.3)."""
    statements, association = inbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    last = (1 << 32) - 1
    for number in (1, last - 40, last - 1, last):
        sent, expected = mode.arriving(number % 50)
        check_delivered(arrive(gateway, [association.build(sent, number)]), [expected], mode)
    check_refused(arrive(gateway, [association.build(sent, number) for number in (0, 1, last - 1, last)]), replayed=4)


def run(results, few, ah):
    for suite, other in ((few[-1], few[1]), (few[1], few[0]), ah):
        for mode in TUNNEL, TRANSPORT, TUNNEL6, TRANSPORT6:
            about = f'{mode.title}, with {suite.name}'
            results.case(f'packets of another algorithm are refused in {about}', another_algorithm, suite, mode, other)
            results.case(f'packets whose SPIs were confused are refused in {about}', swapped_spis, suite, mode)
            results.case(f'the last sequence numbers pass and none comes after them in {about}', last_numbers, suite, mode)
        for tunnel, transport in ((TUNNEL, TRANSPORT), (TUNNEL6, TRANSPORT6)):
            results.case(f'packets of another mode are refused in {tunnel.title}, with {suite.name}', another_mode, suite, tunnel,
                         transport)
        for outside in IPV4, IPV6:
            right, wrong = Tunnel(outside, outside), Tunnel(10 - outside, outside)
            results.case(f'a tunnel of IPv{outside} does not open the way for IPv{wrong.inside}, with {suite.name}', another_family,
                         suite, right, wrong)
