"""The cases that every transform has to pass, of whichever suite, mode and family: what one side builds the other opens, and
nothing else passes."""
import collections

from checks import check, check_delivered, check_protected, check_refused
from modes import TRANSPORT, arrive, framed, inbound_sa, install, outbound_sa, some_packets


def opens(gateway, suite, mode, esn=False):
    statements, association = inbound_sa(suite, mode, suite.keys(), esn)
    install(gateway, *statements)
    pairs = some_packets(mode.arriving)
    esp = [association.build(sent, number) for number, (sent, _) in enumerate(pairs, 1)]
    check_delivered(arrive(gateway, esp), [expected for _, expected in pairs], mode)


def protects(gateway, suite, mode, esn=False):
    statements, association = outbound_sa(suite, mode, suite.keys(), esn)
    install(gateway, *statements)
    pairs = some_packets(mode.leaving)
    result = gateway.carry(mode.entry, [framed(sent) for sent, _ in pairs])
    check_protected(result, association, [expected for _, expected in pairs])


def behind(packet):
    """Where the octets behind the IP header begin; there are no options in it."""
    return 40 if packet[0] >> 4 == 6 else 20


def altered(packet, position):
    """`packet` with one bit of one octet behind its IP header turned over."""
    octets = bytearray(packet)
    octets[behind(packet) + position] ^= 1 << position % 8
    return bytes(octets)


def refuses(gateway, suite, mode, esn=False):
    """One packet with an ICV: altered in every octet, built with other keys, as it was, and once more."""
    statements, association = inbound_sa(suite, mode, suite.keys(), esn)
    install(gateway, *statements)
    sent, expected = mode.arriving(64)
    esp = association.build(sent, 1000)
    positions = range(len(esp) - behind(esp))
    reasons = collections.Counter(suite.reason(at) for at in positions)
    check_refused(arrive(gateway, [altered(esp, at) for at in positions]), **reasons)
    stranger = inbound_sa(suite, mode, suite.keys(), esn)[1]
    check_refused(arrive(gateway, [stranger.build(sent, 1001)]), bad_icv=1)
    check_delivered(arrive(gateway, [esp]), [expected], mode)
    check_refused(arrive(gateway, [esp]), replayed=1)


def refuses_altered(gateway, suite, mode):
    """An ICV without sequence numbers: altered in every octet, built with other keys, then as it was, as often as it comes."""
    statements, association = inbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    sent, expected = mode.arriving(64)
    packet = association.build(sent, 1)
    positions = range(len(packet) - behind(packet))
    reasons = collections.Counter(suite.reason(at) for at in positions)
    check_refused(arrive(gateway, [altered(packet, at) for at in positions]), **reasons)
    stranger = inbound_sa(suite, mode, suite.keys())[1]
    check_refused(arrive(gateway, [stranger.build(sent, 2)]), bad_icv=1)
    check_delivered(arrive(gateway, [packet, packet]), [expected, expected], mode)


def survives(gateway, suite, mode):
    """The same without an ICV, where an alteration may pass: each packet goes on or is dropped by name. A repeat passes
    too: without integrity there is no replay window, or one altered number would shut the peer out (RFC 4303 3.4.3)."""
    statements, association = inbound_sa(suite, mode, suite.keys())
    install(gateway, *statements)
    sent, expected = mode.arriving(64)
    esp = association.build(sent, 1000)
    positions = range(len(esp) - behind(esp))
    check_refused(arrive(gateway, [altered(esp, at) for at in positions[:4]]), unknown_spi=4)
    office, world, drops = arrive(gateway, [altered(esp, at) for at in positions[4:]])
    ended = len(office) + len(world) + sum(drops.values())
    check(ended >= len(positions) - 4, f'of {len(positions) - 4} packets {ended} went on or were dropped by name')
    install(gateway, *statements)
    stranger = inbound_sa(suite, mode, suite.keys())[1]
    office, world, _ = arrive(gateway, [stranger.build(sent, 999)])
    check(all(frame[14:] != expected for frame in office + world), 'a packet of another key was delivered')
    check_delivered(arrive(gateway, [esp]), [expected], mode)
    check_delivered(arrive(gateway, [esp]), [expected], mode)


def pings(gateway, suite, mode=TRANSPORT):
    """Echo request and reply both as ESP in transport mode; in clear it is refused."""
    to_us, theirs = inbound_sa(suite, mode, suite.keys())
    to_them, ours = outbound_sa(suite, mode, suite.keys())
    install(gateway, *to_us, *to_them)
    pairs = some_packets(mode.exchange)
    result = arrive(gateway, [theirs.build(request, number) for number, (request, _) in enumerate(pairs, 1)])
    check_protected(result, ours, [reply for _, reply in pairs])
    check_refused(arrive(gateway, [request for request, _ in pairs]), policy_mismatch=len(pairs))


def crosses(gateway, suite, mode):
    """The sender's sequence number passes 2^32, of which the wire shows the low half only (RFC 4303 appendix A)."""
    statements, association = inbound_sa(suite, mode, suite.keys(), esn=True)
    install(gateway, *statements)
    last = 1 << 32
    pairs = [mode.arriving(octets) for octets in range(20, 30)]
    numbers = [last - 5, last - 3, last - 2, last - 1, last + 1, last + 2, last - 4, last + 40, last + 3, last]
    esp = [association.build(sent, number) for number, (sent, _) in zip(numbers, pairs)]
    for packet, (_, expected) in zip(esp, pairs):
        check_delivered(arrive(gateway, [packet]), [expected], mode)
    check_refused(arrive(gateway, esp), replayed=len(esp))
    # Left of the window: the gateway must take its low half for one of the next 2^32 numbers, and the ICV denies that.
    check_refused(arrive(gateway, [association.build(pairs[0][0], last - 100)]), bad_icv=1)
