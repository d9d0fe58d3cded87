"""What the interop suite sets between toriid and Linux: suites of algorithms, modes, layers of SAs, in the words of both ends; and the
matrix of transforms that pings and TCP pass through. README.md has it as a table."""
import collections
import itertools
import os

HERE, PEER = '20.0.0.1', '20.0.0.2'
HERE6, PEER6 = '2001:db8::1', '2001:db8::2'

# What each end calls the suite: {cipher} and {auth} stand for the keys, of so many octets.
Suite = collections.namedtuple('Suite', 'name setkey xfrm cipher_octets auth_octets')
SUITES = [
    Suite('aes-gcm-16', '-E aes-gcm-16 {cipher}', "aead 'rfc4106(gcm(aes))' {cipher} 128", 20, 0),
    Suite('aes-cbc with hmac-sha256', '-E aes-cbc {cipher} -A hmac-sha256 {auth}',
          "enc 'cbc(aes)' {cipher} auth-trunc 'hmac(sha256)' {auth} 128", 16, 32),
    Suite('3des-cbc with hmac-md5', '-E 3des-cbc {cipher} -A hmac-md5 {auth}',
          "enc 'cbc(des3_ede)' {cipher} auth-trunc 'hmac(md5)' {auth} 96", 24, 16),
    Suite('blowfish-cbc with hmac-sha1', '-E blowfish-cbc {cipher} -A hmac-sha1 {auth}',
          "enc 'cbc(blowfish)' {cipher} auth-trunc 'hmac(sha1)' {auth} 96", 16, 20),
]
GCM, CBC = SUITES[:2]

# AH has no cipher; {auth} is all there is. Linux pads AH to 8 octets as IPv6 wants it, unless it is told that IPv4 asks for 4
# (RFC 4302 2.2).
AH_SUITES = [
    Suite('hmac-sha1', '-A hmac-sha1 {auth}', "flag align4 auth-trunc 'hmac(sha1)' {auth} 96", 0, 20),
    Suite('hmac-sha256', '-A hmac-sha256 {auth}', "flag align4 auth-trunc 'hmac(sha256)' {auth} 128", 0, 32),
]
# Linux writes its SA's own CPI, and knows no other.
IPCOMP = Suite('deflate', '-C deflate -R', 'comp deflate', 0, 0)

# What an SA is besides its algorithms and mode, for setkey and for Linux, and for the SA by which Linux sends; and whether it is
# ESP in UDP.
Sort = collections.namedtuple('Sort', 'setkey xfrm xfrm_out udp', defaults=('', '', '', False))
PLAIN = Sort(xfrm='replay-window 32')
ESN = Sort('-r 8 -f esn', 'flag esn replay-window 64')
# Linux begins so near the end of the low 32 bits that the first kilobytes of a file go past it.
ESN_WRAPS = ESN._replace(xfrm_out='replay-oseq 0xffffff80')
WIDE = Sort('-r 512', 'replay-window 4096')
IN_UDP = Sort(xfrm='replay-window 32 encap espinudp 4500 4500 0.0.0.0', udp=True)

# One SA each way of a policy's bundle: its protocol, SPIs (or CPIs) from here and back, mode by name, suite and sort.
Layer = collections.namedtuple('Layer', 'protocol numbers mode suite sort', defaults=(PLAIN,))

# The ends of the SAs, those of the traffic that is protected (here, there), the namespace its programs run in, and the address
# they speak to.
Mode = collections.namedtuple('Mode', 'name ends here there place target')
IPV4, IPV6 = (HERE, PEER), (HERE6, PEER6)
MODES = [
    Mode('tunnel', IPV4, '10.0.1.0/24', '10.0.2.0/24', 'office', '10.0.2.1'),
    Mode('transport', IPV4, HERE, PEER, 'gateway', PEER),
]
MODES6 = [
    Mode('tunnel', IPV6, '2001:db8:1::/64', '2001:db8:2::/64', 'office', '2001:db8:2::1'),
    Mode('transport', IPV6, HERE6, PEER6, 'gateway', PEER6),
]
MIXED = {
    'IPv6 in IPv4': MODES6[0]._replace(ends=IPV4),
    'IPv4 in IPv6': MODES[0]._replace(ends=IPV6),
}
AH_NUMBERS, ESP_NUMBERS, CPIS = ('0x2001', '0x2002'), ('0x1001', '0x1002'), ('0x3001', '0x3002')


def esp_layers(suite, mode, sort=PLAIN):
    return [Layer('esp', ESP_NUMBERS, mode.name, suite, sort)]


def ah_layers(suite, mode, sort=PLAIN):
    return [Layer('ah', AH_NUMBERS, mode.name, suite, sort)]


def cases():
    """(title, mode, layers, innermost first) of everything that pings and TCP pass through."""
    for mode in MODES:
        for suite in SUITES:
            yield f'ESP {mode.name} with Linux, {suite.name}', mode, esp_layers(suite, mode)
    for mode in MODES6:
        for suite in SUITES[:2]:
            yield f'ESP {mode.name} over IPv6 with Linux, {suite.name}', mode, esp_layers(suite, mode)
    for name, mode in MIXED.items():
        yield f'an ESP tunnel with {name} with Linux', mode, esp_layers(GCM, mode)
        yield f'an AH tunnel with {name} with Linux', mode, ah_layers(AH_SUITES[1], mode)
    yield from bundles(MODES, 'with Linux')
    yield from bundles(MODES6, 'over IPv6 with Linux')
    yield from sorts()


def bundles(modes, where):
    """The cases beyond ESP alone."""
    for mode in modes:
        for suite in AH_SUITES:
            yield f'AH {mode.name} {where}, {suite.name}', mode, ah_layers(suite, mode)
    tunnel, transport = modes
    yield f'ESP within AH, both transport, {where}', transport, [
        Layer('esp', ESP_NUMBERS, 'transport', CBC), Layer('ah', AH_NUMBERS, 'transport', AH_SUITES[1])]
    yield f'an ESP tunnel within AH transport {where}', tunnel, [
        Layer('esp', ESP_NUMBERS, 'tunnel', GCM), Layer('ah', AH_NUMBERS, 'transport', AH_SUITES[0])]
    yield f'an IPComp tunnel within ESP transport {where}', tunnel, [
        Layer('ipcomp', CPIS, 'tunnel', IPCOMP), Layer('esp', ESP_NUMBERS, 'transport', GCM)]
    # Transport mode is the host's to open, so this one stands between the hosts themselves.
    yield f'IPComp transport within an ESP tunnel {where}', transport, [
        Layer('ipcomp', CPIS, 'transport', IPCOMP), Layer('esp', ESP_NUMBERS, 'tunnel', GCM)]
    yield f'IPComp within ESP within AH, all transport, {where}', transport, [
        Layer('ipcomp', CPIS, 'transport', IPCOMP), Layer('esp', ESP_NUMBERS, 'transport', CBC),
        Layer('ah', AH_NUMBERS, 'transport', AH_SUITES[1])]
    for mode in modes:
        yield f'IPComp {mode.name} alone {where}', mode, [Layer('ipcomp', CPIS, mode.name, IPCOMP)]


def sorts():
    """The cases of SAs that are of another sort than the plain one."""
    tunnel, transport = MODES
    tunnel6, transport6 = MODES6
    for mode in (tunnel, transport6):
        family = 'over IPv6 ' if mode in MODES6 else ''
        for suite in (GCM, CBC):
            yield f'ESP {mode.name} {family}with extended sequence numbers with Linux, {suite.name}', mode, esp_layers(suite, mode, ESN)
    for mode in (transport, tunnel6):
        family = 'over IPv6 ' if mode in MODES6 else ''
        yield f'AH {mode.name} {family}with extended sequence numbers with Linux', mode, ah_layers(AH_SUITES[1], mode, ESN)
    yield 'an ESP tunnel with replay windows of 4,096 packets with Linux', tunnel, esp_layers(GCM, tunnel, WIDE)
    for mode in (tunnel, transport, tunnel6, transport6):
        family = 'over IPv6 ' if mode in MODES6 else ''
        yield f'ESP in UDP, {mode.name} {family}with Linux', mode, esp_layers(GCM, mode, IN_UDP)


def large_cases():
    """The cases of packets in fragments."""
    for mode, where in ((MODES[0], ''), (MODES[1], ''), (MODES6[0], ' over IPv6'), (MODES6[1], ' over IPv6')):
        yield f'ESP {mode.name}{where}', mode, esp_layers(GCM, mode)
    for name, mode in MIXED.items():
        yield f'an ESP tunnel with {name}', mode, esp_layers(GCM, mode)
    yield 'AH transport', MODES[1], ah_layers(AH_SUITES[1], MODES[1])


def wrapping_cases():
    """The cases of extended sequence numbers that pass 2^32."""
    for suite in (GCM, CBC):
        yield f'an ESP tunnel with extended sequence numbers, {suite.name},', MODES[0], esp_layers(suite, MODES[0], ESN_WRAPS)
    yield 'AH transport over IPv6 with extended sequence numbers', MODES6[1], ah_layers(AH_SUITES[1], MODES6[1], ESN_WRAPS)


def keys_for(suite):
    """New keys, one pair a direction: {'cipher': '0x..', 'auth': '0x..'} for here-to-there, then there-to-here."""
    return [{'cipher': '0x' + os.urandom(suite.cipher_octets).hex(), 'auth': '0x' + os.urandom(suite.auth_octets).hex()}
            for _ in range(2)]


def torii_statements(layers, mode, keys):
    """The layers, innermost first, in setkey's language and seen from toriid; `keys` has a pair for each."""
    adds, requests = '', ['', '']
    for layer, pair in zip(layers, keys):
        protocol = 'esp-udp' if layer.sort.udp else layer.protocol
        for way, (source, destination) in enumerate((mode.ends, mode.ends[::-1])):
            words = layer.sort.setkey if layer.protocol != 'ipcomp' else ''
            adds += (f'add {source} {destination} {protocol} {layer.numbers[way]} -m {layer.mode} {words} '
                     f'{layer.suite.setkey.format_map(pair[way])};\n')
            ends = f'{source}-{destination}' if layer.mode == 'tunnel' else ''
            requests[way] += f' {layer.protocol}/{layer.mode}/{ends}/{"use" if layer.protocol == "ipcomp" else "require"}'
    return (f'flush; spdflush;\n{adds}spdadd {mode.here} {mode.there} any -P out ipsec{requests[0]};\n'
            f'spdadd {mode.there} {mode.here} any -P in ipsec{requests[1]};\n')


def linux_commands(layers, mode, keys):
    """The same for the Linux peer, command by command."""
    commands = ['ip xfrm state flush; ip xfrm policy flush']
    # Linux would protect its neighbour discovery too, which has to work before there can be an SA.
    for way, kind in itertools.product(('in', 'out'), (135, 136)) if mode.here == HERE6 else ():
        commands.append(f'ip xfrm policy add src ::/0 dst ::/0 proto 58 type {kind} dir {way} priority 1')
    # What comes in UDP passes the policies as UDP first, and is ESP behind them; IKE daemons exempt their socket.
    if any(layer.sort.udp for layer in layers):
        everybody = '::/0' if ':' in mode.ends[0] else '0.0.0.0/0'
        commands.append(f'ip xfrm policy add src {everybody} dst {everybody} proto 17 dport 4500 dir in priority 1')
    mixed = 'flag af-unspec' if ':' in mode.here + mode.ends[0] and mode.name == 'tunnel' else ''
    templates = ['', '']
    for number, (layer, pair) in enumerate(zip(layers, keys), 1):
        protocol = 'comp' if layer.protocol == 'ipcomp' else layer.protocol
        for way, (source, destination) in enumerate((mode.ends, mode.ends[::-1])):
            sort = '' if protocol == 'comp' else layer.sort.xfrm + ' ' + (layer.sort.xfrm_out if way == 1 else '')
            commands.append(f'ip xfrm state add src {source} dst {destination} proto {protocol} spi {layer.numbers[way]} '
                            f'reqid {number} mode {layer.mode} {mixed} {sort} {layer.suite.xfrm.format_map(pair[way])}')
            ends = f'src {source} dst {destination}' if layer.mode == 'tunnel' else ''
            optional = 'level use' if protocol == 'comp' and way == 0 else ''  # what does not compress comes without
            templates[way] += f' tmpl {ends} proto {protocol} reqid {number} mode {layer.mode} {optional}'
    commands.append(f'ip xfrm policy add src {mode.there} dst {mode.here} dir out priority 2{templates[1]}')
    commands.append(f'ip xfrm policy add src {mode.here} dst {mode.there} dir in priority 2{templates[0]}')
    return commands


def install(guest, gateway, mode, layers):
    """Gives both ends the layers, under new keys."""
    keys = [keys_for(layer.suite) for layer in layers]
    gateway.setkey(torii_statements(layers, mode, keys))
    guest.check_all(linux_commands(layers, mode, keys))
