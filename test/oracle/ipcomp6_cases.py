"""IPComp (RFC 3173) with IPv6 inside, outside or both, against Python's zlib: alone on the wire and inside ESP."""
import struct

from checks import check, check_delivered, check_refused, check_same
from gateway import OFFICE
from ipcomp_cases import IPCOMP, OWN_CPI, deflated, header, inflated, only_one_is_there, sa, texts
from modes import IPV4, IPV6, TRANSPORT6, TUNNEL6, Tunnel, arrive, framed, install, ip_header
from peer import CHANCE, parsed, raw
from scapy.layers.inet import UDP

TUNNELS = [TUNNEL6, Tunnel(IPV4, IPV6), Tunnel(IPV6, IPV4)]
NUMBERS = {IPV4: 4, IPV6: 41}
ICMPV6 = 58


def datagram(mode, payload, outbound, hops):
    ends = {'src': mode.near, 'dst': mode.far} if outbound else {'src': mode.far, 'dst': mode.near}
    return raw(ip_header(mode.inside, ttl=hops, id=5, **ends) / UDP(sport=4000, dport=5000) / payload)


def outer(mode, protocol):
    """The header from them to us."""
    header_of_theirs = parsed(raw(ip_header(IPV6 if ':' in mode.ours else IPV4, mode.theirs, mode.ours, 64)))
    setattr(header_of_theirs, 'nh' if ':' in mode.ours else 'proto', protocol)
    del header_of_theirs.fields['plen' if ':' in mode.ours else 'len']
    if ':' not in mode.ours:
        del header_of_theirs.chksum
    return header_of_theirs


def around(mode, inner, cpi):
    return raw(outer(mode, IPCOMP) / (header(NUMBERS[mode.inside], cpi) + deflated(inner)))


def behind_ip(mode, wire, protocol):
    """What stands behind the header from us to them."""
    ip = parsed(wire)
    kind, octets = (ip.nh, ip.plen + 40) if ip.version == IPV6 else (ip.proto, ip.len)
    check((ip.src, ip.dst, kind, octets) == (mode.ours, mode.theirs, protocol, len(wire)), f'the outer header is {ip.summary()}')
    return wire[40 if ip.version == IPV6 else 20:]


def opens(gateway, mode, raw_cpi):
    install(gateway, sa(mode.theirs, mode.ours, OWN_CPI, 'tunnel', raw_cpi), f'spdadd {mode.there} {mode.here} any -P in none;')
    for text in texts():
        sent = around(mode, datagram(mode, text, False, 61), OWN_CPI if raw_cpi else 2)
        check_delivered(arrive(gateway, [sent]), [datagram(mode, text, False, 60)], mode)
    for cut in range(5, 60):
        damaged = around(mode, datagram(mode, bytes(1300), False, 61), 2)
        damaged = raw(outer(mode, IPCOMP) / damaged[40 if ':' in mode.ours else 20:-cut])
        *sides, drops = arrive(gateway, [damaged])
        check(not any(sides) and sum(drops.values()) == 1, f'cut by {cut}: dropped {dict(drops)}')


def builds(gateway, mode, raw_cpi):
    install(gateway, sa(mode.ours, mode.theirs, OWN_CPI, 'tunnel', raw_cpi),
            f'spdadd {mode.here} {mode.there} any -P out ipsec ipcomp/tunnel/{mode.ours}-{mode.theirs}/require;')
    for text in texts():
        wire = only_one_is_there(gateway.carry(OFFICE, [framed(datagram(mode, text, True, 64))]))
        payload = behind_ip(mode, wire, IPCOMP)
        expected = datagram(mode, text, True, 63)
        check_same('the IPComp header', payload[:4], header(NUMBERS[mode.inside], OWN_CPI if raw_cpi else 2))
        check_same('the text', inflated(payload[4:]), expected)
        check(len(payload) < len(expected), f'{len(expected)} octets became {len(payload)}')
    noise = CHANCE.randbytes(1000)
    wire = only_one_is_there(gateway.carry(OFFICE, [framed(datagram(mode, noise, True, 64))]))
    check_same('what does not compress', behind_ip(mode, wire, NUMBERS[mode.inside]), datagram(mode, noise, True, 63))


def transport(gateway):
    """A ping with a long text; what does not compress goes as it is."""
    mode = TRANSPORT6
    install(gateway, sa(mode.theirs, mode.ours, OWN_CPI, 'transport', False),
            sa(mode.ours, mode.theirs, OWN_CPI, 'transport', False),
            f'spdadd {mode.ours} {mode.theirs} any -P out ipsec ipcomp/transport//require;')
    request, reply = mode.exchange(1400)
    body = header(ICMPV6) + deflated(request[40:])
    packed = request[:4] + struct.pack('!HB', len(body), IPCOMP) + request[7:40] + body
    wire = only_one_is_there(arrive(gateway, [packed]))
    payload = behind_ip(mode, wire, IPCOMP)
    check_same('the IPComp header', payload[:4], header(ICMPV6))
    check_same('the text', inflated(payload[4:]), reply[40:])
    request, reply = mode.exchange(8)
    check_delivered(arrive(gateway, [request]), [reply], mode)


def within_esp(gateway, mode, suite):
    """`ipcomp/tunnel esp/transport`: IP, ESP, IPComp, IP, or IP, ESP, IP for what does not compress."""
    keys = suite.keys(), suite.keys()
    requests = 'ipcomp/tunnel/{}-{}/use esp/transport//require'
    install(gateway, *suite.add(f'{mode.ours} {mode.theirs}', 0x1001, 'transport', keys[0]),
            *suite.add(f'{mode.theirs} {mode.ours}', 0x1002, 'transport', keys[1]),
            sa(mode.ours, mode.theirs, 7, 'tunnel', False), sa(mode.theirs, mode.ours, 7, 'tunnel', False),
            f'spdadd {mode.here} {mode.there} any -P out ipsec {requests.format(mode.ours, mode.theirs)};',
            f'spdadd {mode.there} {mode.here} any -P in ipsec {requests.format(mode.theirs, mode.ours)};')
    ours, theirs = (suite.association(key, spi, None, False) for key, spi in zip(keys, (0x1001, 0x1002)))
    inner_number = NUMBERS[mode.inside]
    for number, text in enumerate([*texts(), CHANCE.randbytes(1000)], 1):
        compresses = number <= len(texts())
        inside, sequence, _ = ours.open(only_one_is_there(gateway.carry(OFFICE, [framed(datagram(mode, text, True, 64))])))
        check(sequence == number, f'packet {number} has the sequence number {sequence}')
        payload = behind_ip(mode, inside, IPCOMP if compresses else inner_number)
        check_same('the text', inflated(payload[4:]) if compresses else payload, datagram(mode, text, True, 63))
        sent, expected = (datagram(mode, text, False, hops) for hops in (61, 60))
        forms = around(mode, sent, 2), raw(outer(mode, inner_number) / sent)
        check_delivered(arrive(gateway, [theirs.build(form, 2 * number + i) for i, form in enumerate(forms)]), [expected] * 2, mode)
    check_refused(arrive(gateway, [around(mode, sent, 2)]), policy_mismatch=1)


def run(results, suite):
    for mode in TUNNELS:
        for raw_cpi, name in ((False, 'the well-known CPI 2'), (True, 'a CPI of its own (-R)')):
            results.case(f'what zlib compresses is opened in {mode.title}, with {name}', opens, mode, raw_cpi)
            results.case(f'zlib opens what the gateway compresses in {mode.title}, with {name}', builds, mode, raw_cpi)
        results.case(f'`ipcomp/tunnel esp/transport` has its two forms in {mode.title}', within_esp, mode, suite)
    results.case(f'zlib and the gateway open each other\'s {TRANSPORT6.title}', transport)
