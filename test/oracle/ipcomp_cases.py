"""IPComp (RFC 3173) against Python's zlib, which compresses what the gateway must open and opens what it has compressed.

Alone on the wire, and in both forms that a compressed tunnel has: `ipcomp/tunnel esp/transport` and `ipcomp/transport esp/tunnel`.
"""
import struct
import zlib

from checks import check, check_delivered, check_refused, check_same
from gateway import OFFICE
from modes import FAR, NEAR, OURS, THEIRS, TRANSPORT, TUNNEL, arrive, framed, install
from peer import CHANCE, IP, raw
from scapy.layers.inet import ICMP, UDP

DEFLATE_CPI, OWN_CPI = 2, 0x1234
IPV4, ICMP_NUMBER, UDP_NUMBER, IPCOMP = 4, 1, 17, 108
IN_CLEAR = f'spdadd {TUNNEL.there} {TUNNEL.here} any -P in none;'


def deflated(octets, level=9, strategy=zlib.Z_DEFAULT_STRATEGY):
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    return packer.compress(octets) + packer.flush()


def inflated(octets):
    """What the raw DEFLATE stream `octets` holds, all of which it must be."""
    unpacker = zlib.decompressobj(-15)
    text = unpacker.decompress(octets)
    check(unpacker.eof and not unpacker.unused_data, f'{len(octets)} octets are not one whole DEFLATE stream')
    return text


def header(next_header, cpi=DEFLATE_CPI):
    return struct.pack('!BBH', next_header, 0, cpi)


def packet(source, destination, payload):
    return raw(IP(src=source, dst=destination, ttl=64, proto=IPCOMP) / payload)


def around(inner, cpi=DEFLATE_CPI, **how):
    """`inner` in IPComp from them to us, tunnel mode."""
    return packet(THEIRS, OURS, header(IPV4, cpi) + deflated(inner, **how))


def transported(octets, cpi=DEFLATE_CPI):
    """The packet `octets` with its payload in IPComp, transport mode."""
    ip = IP(octets)
    text = raw(ip.payload)
    whole = ip.copy()
    whole.remove_payload()
    del whole.len, whole.chksum
    whole.proto = IPCOMP
    return raw(whole / (header(ip.proto, cpi) + deflated(text)))


def datagram(payload, source, destination, ttl):
    return raw(IP(src=source, dst=destination, ttl=ttl, id=5) / UDP(sport=4000, dport=5000) / payload)


def texts():
    return [b'The quick brown fox. ' * 20, bytes(1300), b'ab' * 600, bytes(i * 7 & 0xff for i in range(1400))]


def arriving(payload):
    return tuple(datagram(payload, FAR, NEAR, ttl) for ttl in (61, 60))


def leaving(payload):
    return tuple(datagram(payload, NEAR, FAR, ttl) for ttl in (64, 63))


def sa(source, destination, cpi, mode, raw_cpi):
    return f'add {source} {destination} ipcomp {cpi} -m {mode} -C deflate{" -R" if raw_cpi else ""};'


# ---- alone on the wire

def opens(gateway, raw_cpi):
    """Stored, fixed and dynamic blocks, and all levels: whatever a peer's DEFLATE may write."""
    install(gateway, sa(THEIRS, OURS, OWN_CPI, 'tunnel', raw_cpi), IN_CLEAR)
    cpi = OWN_CPI if raw_cpi else DEFLATE_CPI
    ways = [{'level': level} for level in range(10)]
    ways += [{'strategy': way} for way in (zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FILTERED)]
    for text in texts():
        sent, expected = arriving(text)
        result = arrive(gateway, [around(sent, cpi, **way) for way in ways])
        check_delivered(result, [expected] * len(ways), TUNNEL)


def opens_transport(gateway, raw_cpi):
    install(gateway, sa(THEIRS, OURS, OWN_CPI, 'transport', raw_cpi))
    for octets in (0, 100, 1400):
        request, reply = TRANSPORT.arriving(octets)
        check_delivered(arrive(gateway, [transported(request, OWN_CPI if raw_cpi else DEFLATE_CPI)]), [reply], TRANSPORT)


def only_one_is_there(result):
    office, world, drops = result
    check(not office and not drops and len(world) == 1, f'{len(world)} packets left, dropped: {dict(drops)}')
    return world[0][14:]


def builds(gateway, raw_cpi):
    install(gateway, sa(OURS, THEIRS, OWN_CPI, 'tunnel', raw_cpi),
            f'spdadd {TUNNEL.here} {TUNNEL.there} any -P out ipsec ipcomp/tunnel/{OURS}-{THEIRS}/require;')
    for text in texts():
        sent, expected = leaving(text)
        wire = only_one_is_there(gateway.carry(OFFICE, [framed(sent)]))
        outer = IP(wire)
        check((outer.src, outer.dst, outer.proto, outer.len) == (OURS, THEIRS, IPCOMP, len(wire)), 'the outer header is wrong')
        check_same('the IPComp header', wire[20:24], header(IPV4, OWN_CPI if raw_cpi else DEFLATE_CPI))
        check_same('the text', inflated(wire[24:]), expected)
        check(len(wire) - 20 < len(expected), f'{len(expected)} octets became {len(wire) - 20}')


def builds_transport(gateway):
    """The reply to a ping with a long text."""
    install(gateway, sa(OURS, THEIRS, OWN_CPI, 'transport', False),
            f'spdadd {OURS} {THEIRS} any -P out ipsec ipcomp/transport//require;')
    request, reply = TRANSPORT.exchange(1400)
    wire = only_one_is_there(arrive(gateway, [request]))
    check_same('the IPComp header', wire[20:24], header(ICMP_NUMBER))
    check_same('the text', inflated(wire[24:]), reply[20:])
    ip = IP(wire)
    check(ip.proto == IPCOMP and ip.len == len(wire) < len(reply), 'the IP header is wrong')


def sends_noise_as_it_is(gateway):
    """What does not get smaller is sent without IPComp (RFC 3173 2.2)."""
    install(gateway, sa(OURS, THEIRS, OWN_CPI, 'transport', False),
            f'spdadd {OURS} {THEIRS} any -P out ipsec ipcomp/transport//require;')
    for octets in (0, 8, 40, 300, 1400):
        noise = CHANCE.randbytes(octets)
        request, reply = (raw(IP(src=source, dst=destination, ttl=64) / ICMP(type=kind, id=7, seq=1) / noise)
                          for source, destination, kind in ((THEIRS, OURS, 8), (OURS, THEIRS, 0)))
        check_delivered(arrive(gateway, [request]), [reply], TRANSPORT)


# ---- the two wire forms of a compressed tunnel

def ipcomp_within_transport_esp(gateway, suite):
    """IP | ESP | IPComp | IP, and IP | ESP | IP for a packet that does not compress."""
    keys = suite.keys(), suite.keys()
    install(gateway, *suite.add(f'{OURS} {THEIRS}', 0x1001, 'transport', keys[0]), sa(OURS, THEIRS, 7, 'tunnel', False),
            *suite.add(f'{THEIRS} {OURS}', 0x1002, 'transport', keys[1]), sa(THEIRS, OURS, 7, 'tunnel', False),
            f'spdadd {TUNNEL.here} {TUNNEL.there} any -P out ipsec ipcomp/tunnel/{OURS}-{THEIRS}/use esp/transport//require;',
            f'spdadd {TUNNEL.there} {TUNNEL.here} any -P in ipsec ipcomp/tunnel/{THEIRS}-{OURS}/use esp/transport//require;')
    ours, theirs = (suite.association(key, spi, None, False) for key, spi in zip(keys, (0x1001, 0x1002)))
    for number, text in enumerate([*texts(), CHANCE.randbytes(1000)], 1):
        sent, expected = leaving(text)
        inside, sequence, _ = ours.open(only_one_is_there(gateway.carry(OFFICE, [framed(sent)])))
        check(sequence == number, f'packet {number} has the sequence number {sequence}')
        compressed = number <= len(texts())
        check(inside[9] == (IPCOMP if compressed else IPV4), f'protocol {inside[9]} stands behind ESP')
        check_same('the text', inflated(inside[24:]) if compressed else inside[20:], expected)
        sent, expected = arriving(text)
        bare = raw(IP(src=THEIRS, dst=OURS, ttl=64, proto=IPV4) / sent)
        wire = [theirs.build(form, 2 * number + i) for i, form in enumerate((around(sent), bare))]
        check_delivered(arrive(gateway, wire), [expected, expected], TUNNEL)
    check_refused(arrive(gateway, [around(sent)]), policy_mismatch=1)  # compressed, but not encrypted


def ipcomp_within_tunnel_esp(gateway, suite):
    """IP | ESP | IP | IPComp: the SA stands between the hosts, so that it is the far host who decompresses."""
    keys = suite.keys(), suite.keys()
    requests = 'ipcomp/transport//use esp/tunnel/{}-{}/require'
    install(gateway, *suite.add(f'{OURS} {THEIRS}', 0x1001, 'tunnel', keys[0]), sa(NEAR, FAR, OWN_CPI, 'transport', True),
            *suite.add(f'{THEIRS} {OURS}', 0x1002, 'tunnel', keys[1]), sa(FAR, NEAR, OWN_CPI, 'transport', True),
            f'spdadd {TUNNEL.here} {TUNNEL.there} any -P out ipsec {requests.format(OURS, THEIRS)};',
            f'spdadd {TUNNEL.there} {TUNNEL.here} any -P in ipsec {requests.format(THEIRS, OURS)};')
    ours, theirs = (suite.association(key, spi, ends, False)
                    for key, spi, ends in zip(keys, (0x1001, 0x1002), ((OURS, THEIRS), (THEIRS, OURS))))
    for number, text in enumerate(texts(), 1):
        sent, expected = leaving(text)
        inside, _, _ = ours.open(only_one_is_there(gateway.carry(OFFICE, [framed(sent)])))
        ip = IP(inside)
        check((ip.src, ip.dst, ip.proto, ip.ttl) == (NEAR, FAR, IPCOMP, 63), f'inside ESP stands {ip.summary()}')
        check_same('the IPComp header', inside[20:24], header(UDP_NUMBER, OWN_CPI))
        check_same('the text', inflated(inside[24:]), expected[20:])
        sent, expected = arriving(text)
        check_delivered(arrive(gateway, [theirs.build(transported(sent), number)]), [transported(expected)], TUNNEL)


# ---- what no honest peer sends

def refuses(gateway):
    install(gateway, IN_CLEAR)
    sent, expected = arriving(b'The quick brown fox. ' * 20)
    packed = deflated(sent)

    def carried(payload):
        return arrive(gateway, [packet(THEIRS, OURS, payload)])

    for cut in range(len(packed)):
        check_refused(carried(header(IPV4) + packed[:cut]), bad_ipcomp=1)
    for octets in range(4):
        check_refused(carried(header(IPV4)[:octets]), bad_ipcomp=1)
    check_refused(carried(header(IPV4) + packed + b'\0'), bad_ipcomp=1)
    check_refused(carried(header(IPV4) + zlib.compress(sent)), bad_ipcomp=1)  # zlib's header is not RFC 2394's
    check_refused(carried(header(IPV4) + b'\xff' * 200), bad_ipcomp=1)
    check_refused(carried(header(IPV4) + deflated(bytes(60_000))), decompressed_too_big=1)
    check_refused(carried(header(IPV4) + deflated(bytes(1_000_000))), decompressed_too_big=1)
    for cpi in (0, 1, 3, 63, 256, OWN_CPI, 0xffff):
        check_refused(carried(header(IPV4, cpi) + packed), unknown_cpi=1)
    check_refused(carried(header(IPV4) + deflated(sent[:-1])), bad_ip_length=1)
    check_refused(carried(header(IPV4) + deflated(sent[:19])), truncated=1)
    check_delivered(carried(header(IPV4) + packed), [expected], TUNNEL)


def garbage(gateway):
    """Noise where DEFLATE data should stand: dropped by name each time, and never a packet made of it."""
    install(gateway, IN_CLEAR)
    packets = [packet(THEIRS, OURS, header(IPV4) + CHANCE.randbytes(CHANCE.randrange(400))) for _ in range(512)]
    office, world, drops = arrive(gateway, packets)
    check(not office and not world, f'{len(office) + len(world)} packets were made of noise')
    check(sum(drops.values()) == len(packets), f'of {len(packets)} packets {sum(drops.values())} were dropped by name')


def run(results, suite):
    for raw_cpi, name in ((False, 'the well-known CPI 2'), (True, 'a CPI of its own (-R)')):
        results.case(f'what zlib compresses is opened in tunnel mode with {name}', opens, raw_cpi)
        results.case(f'what zlib compresses is opened in transport mode with {name}', opens_transport, raw_cpi)
        results.case(f'zlib opens what the gateway compresses in tunnel mode with {name}', builds, raw_cpi)
    results.case('zlib opens what the gateway compresses in transport mode', builds_transport)
    results.case('noise is sent as it is, without IPComp', sends_noise_as_it_is)
    results.case('`ipcomp/tunnel esp/transport` is IP, ESP, IPComp, IP, or IP, ESP, IP', ipcomp_within_transport_esp, suite)
    results.case('`ipcomp/transport esp/tunnel` is IP, ESP, IP, IPComp', ipcomp_within_tunnel_esp, suite)
    results.case('cut, lengthened, bursting and unknown IPComp is dropped by name', refuses)
    results.case('noise in IPComp is dropped by name', garbage)
