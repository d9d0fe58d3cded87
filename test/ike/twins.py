"""Torii and Torii in all that strangers are asked for (kernel_cases.py, interop.py): each case has a connection of its own, told from the
others by its identities.

    office 10.0.1.5 -- tokyo 20.0.0.1 === wire === 20.0.0.2 newyork -- 10.0.2.5 office
                       20.0.1.1  \\== nat 20.0.1.254 | 192.168.7.1 == inside == 192.168.7.2 newyork

In transport mode the programs of a gateway's own machine speak, through its host port.
"""
from certificates import Person, ecdsa_key, ed25519_key, rsa_key
from nat import Nat
from places import WireTap
from scene import FRAMES, Scene, check, check_ike_is_cut, is_ike, wait_for

CITIES = ('tokyo', 'newyork')
OFFICE = {'tokyo': '10.0.1', 'newyork': '10.0.2'}
OUTER = {'tokyo': '20.0.0.1', 'newyork': '20.0.0.2'}
OUTER6 = {'tokyo': '2001:db8::1', 'newyork': '2001:db8::2'}
THROUGH_NAT = {'tokyo': '20.0.1.1', 'newyork': '192.168.7.2'}
ESP, AH = 50, 51
BETWEEN = 5  # certificates between the authority and an end of the long chain
CERTIFICATE = 'auth = "certificate"; certificate = "%(city)s.%(name)s.pem"; key = "%(city)s.%(name)s.key";'
RAW = 'auth = "raw_key"; key = "%(city)s.ecdsa.key"; peers_key = "%(other)s.ecdsa.pub";'
TUNNEL = 'local = ["%(office)s.0/24"]; remote = ["%(far_office)s.0/24"];'
# connection: its child and its further settings, at both ends
WAYS = {
    'esp': (f'{TUNNEL} proposals = ["aes128gcm16-x25519"];', ''),
    'cbc': (f'{TUNNEL} proposals = ["aes256-sha512-esn"];', ''),
    'chacha': (f'{TUNNEL} proposals = ["chacha20poly1305"];', 'proposals = ["chacha20poly1305-prfsha512-ecp384"];'),
    'several': (f'{TUNNEL} proposals = ["aes256gcm16-x25519-ke1_ecp384"];', 'proposals = ["aes256gcm16-prfsha384-x25519-ke1_ecp384"];'),
    'ah': (f'{TUNNEL} protocol = "ah"; proposals = ["sha256-esn"];', ''),
    'comp': (f'{TUNNEL} ipcomp = true;', ''),
    'six': (TUNNEL, ''),
    'host': ('mode = "transport"; proposals = ["aes128gcm16-x25519"];', ''),
    'host-ah': ('mode = "transport"; protocol = "ah"; proposals = ["sha512"];', ''),
    'rsa': (TUNNEL, CERTIFICATE), 'ecdsa': (TUNNEL, CERTIFICATE), 'ed25519': (TUNNEL, CERTIFICATE), 'chain': (TUNNEL, CERTIFICATE),
    'raw': (TUNNEL, RAW),
    'expired': (TUNNEL, CERTIFICATE),  # newyork's
    'stranger': (TUNNEL, ''),  # another pre-shared key at each end
    'other-id': (TUNNEL, ''),  # newyork says that he is somebody else
    'wide': (TUNNEL, ''),  # newyork would take all of 10.0.0.0/8
    'nat': (f'{TUNNEL} proposals = ["aes128gcm16-x25519"];', ''),
    'nat-host': ('mode = "transport"; proposals = ["aes128gcm16"];', ''),
}
CONF = """
gateway = {{ name = "{city}"; workers = 1; mbufs = 8192; }};
ports = (
    {{ name = "office"; role = "protected";   addresses = ["{office}.1/24"]; device = "net_af_packet0,iface=office0,{frames}"; }},
    {{ name = "wan";    role = "unprotected"; addresses = [{outer}]; device = "net_af_packet1,iface=wan0,{frames}"; }},
    {more_ports}
    {{ name = "host";   role = "host";        device = "net_tap0,iface=torii0"; }}
);
routes = ( {{ destination = "{far_office}.0/24"; via = "{far_outer}"; }} {more_routes} );
ipsec = {{ def_policy = "discard"; }};
crypto = {{ time_kernels = false; }};
ike = {{
    psk_file = "{city}.psk";
    authorities = ["ca.pem"];
    retransmit_milliseconds = 300;
    retransmissions = 4;
    connections = ( {connections} );
}};
control = {{ socket = "/run/torii/torii.sock"; }};
"""


def other_than(city):
    return CITIES[city == 'tokyo']


def connection(city, name):
    other = other_than(city)
    ends = OUTER6 if name == 'six' else THROUGH_NAT if name.startswith('nat') else OUTER
    remote = '' if name.startswith('nat') and city == 'tokyo' else f'remote = "{ends[other]}";'
    child, settings = (text % {'city': city, 'other': other, 'name': name, 'office': OFFICE[city], 'far_office': OFFICE[other]}
                       for text in WAYS[name])
    ours = 'elsewhere' if (city, name) == ('newyork', 'other-id') else f'{city}.{name}'
    if (city, name) == ('newyork', 'wide'):
        child = 'local = ["10.0.0.0/8"]; remote = ["10.0.0.0/8"];'
    return f"""{{ name = "{name}"; local = "{ends[city]}"; {remote} local_id = "{ours}"; remote_id = "{other}.{name}"; dpd_seconds = 2;
        {settings} children = ( {{ name = "offices"; {child} }} ); }}"""


def configuration(city):
    other = other_than(city)
    outer = [f'{OUTER[city]}/24', f'{OUTER6[city]}/64'] + ([f'{THROUGH_NAT[city]}/24'] if city == 'tokyo' else [])
    inside = city == 'newyork'
    return CONF.format(
        city=city, frames=FRAMES, office=OFFICE[city], far_office=OFFICE[other], far_outer=OUTER[other], outer=', '.join(f'"{a}"' for a in outer),
        more_ports='{ name = "inside"; role = "unprotected"; addresses = ["192.168.7.2/24"]; device = "net_af_packet2,iface=inside0"; },'
                   if inside else '',
        more_routes=', { destination = "20.0.1.0/24"; via = "192.168.7.1"; }' if inside else '',
        connections=', '.join(connection(city, name) for name in WAYS))


class Twins(Scene):
    def build(self):
        self.network.ip('wire', 'link add inside type bridge mcast_snooping 0')
        self.network.ip('wire', 'link set inside up')
        for city in CITIES:
            self.network.add(city)
            self.network.plug('wire', city, 'wan0')
            self.office(f'office-{city}', OFFICE[city], OFFICE[other_than(city)], city)
        self.network.add('nat')
        for bridge, end, address in (('wire', 'out0', '20.0.1.254'), ('inside', 'in0', '192.168.7.1')):
            self.network.cable('wire', end, 'nat', end)
            self.network.ip('wire', f'link set {end} master {bridge}')
            self.network.ip('nat', f'addr add {address}/24 dev {end}')
        self.network.cable('wire', 'in1', 'newyork', 'inside0')
        self.network.ip('wire', 'link set in1 master inside')
        self.nat = self.stack.enter_context(Nat(self.network, 'nat', 'in0', '20.0.1.254', THROUGH_NAT['tokyo']))
        self.write_credentials()
        for city in CITIES:
            self.start(city, configuration(city))
        for gateway in self.gateways.values():
            gateway.wait_until_ready(60)
            gateway.open_host_port()
        self.tokyo, self.newyork = (self.gateways[city] for city in CITIES)
        self.tap = WireTap(self.network, 'wire', 'tokyo')
        self.stack.callback(self.tap.close)

    def write_credentials(self):
        for city, secret in zip(CITIES, ('one', 'another')):
            self.write(f'{city}.psk', f'* a secret of both\n{other_than(city)}.stranger {secret}\n')
        ca, authorities = {}, {'rsa': rsa_key, 'ecdsa': ecdsa_key, 'ed25519': ed25519_key}
        for kind, make in authorities.items():
            ca[kind] = Person(f'Torii {kind} authority', make(), authority=True)
        last, between = ca['rsa'], rsa_key()
        for number in range(BETWEEN):
            last = Person(f'Torii authority number {number} of a long chain', between, last, authority=True)
        issuers = {**ca, 'chain': last, 'expired': ca['ecdsa']}
        for name, issuer in issuers.items():
            for city in CITIES:
                make = authorities.get(name, rsa_key if name == 'chain' else ecdsa_key)
                person = Person(f'{city}.{name}', make(), issuer, expired=(city, name) == ('newyork', 'expired'))
                self.write(f'{city}.{name}.pem', person.chain())
                self.write(f'{city}.{name}.key', person.key_pem())
                self.write(f'{city}.{name}.pub', person.public_pem())
        self.write('ca.pem', ''.join(person.pem() for person in ca.values()))

    # ---- what there is

    def pair(self, city):
        """The SAs in use in a city: an old pair stays for late packets."""
        pairs = [pair for pair in self.gateways[city].children() if pair['state'] == 'installed']
        return pairs[0] if len(pairs) == 1 else None

    def agreed(self, name):
        """Both ends' IKE SA and pair of SAs, once there is one of each and they are the same."""
        ours, theirs = self.tokyo.ike(), self.newyork.ike()
        mine, other = (self.pair(city) for city in CITIES)
        same = len(ours) == len(theirs) == 1 and mine and other and \
            ours[0]['connection'] == theirs[0]['connection'] == name and ours[0]['state'] == theirs[0]['state'] == 'established' and \
            ours[0]['responder_spi'] == theirs[0]['responder_spi'] and \
            (mine['inbound_spi'], mine['outbound_spi']) == (other['outbound_spi'], other['inbound_spi'])
        return (ours[0], mine) if same else None

    def wait_until_agreed(self, name, seconds=8):
        return wait_for(lambda: self.agreed(name), lambda: f'the two do not agree on {name}: {self.both()}', seconds)

    def wait_until_nothing(self):
        wait_for(lambda: not any(gateway.ike() or gateway.children() for gateway in self.gateways.values()),
                 lambda: f'SAs are left: {self.both()}', 8)

    def end(self):
        for name in {sa['connection'] for sa in self.tokyo.ike() if sa['state'] == 'established'}:
            self.tokyo.torii('ike', 'down', name)
        self.wait_until_nothing()

    def begin(self, name, city):
        self.end()
        self.gateways[city].torii('ike', 'up', f'{name}/offices')
        ike, pair = self.wait_until_agreed(name)
        check(ike['initiator'] == (city == 'tokyo'), f'it was not {city} who began: {ike}')
        return ike, pair

    def have(self, name):
        return self.agreed(name) or self.begin(name, 'tokyo')

    def both(self):
        return ' '.join(f'{city}: {gateway.ike_log()[-900:]}' for city, gateway in self.gateways.items())

    # ---- packets

    def passes(self, name, size=56):
        """Pings of both sides, and both ends count the same."""
        if WAYS[name][0].startswith('mode'):
            ways = [('tokyo', OUTER['newyork']), ('newyork', OUTER['tokyo'])]
            if name.startswith('nat'):
                ways = [('newyork', THROUGH_NAT['tokyo'])]  # nobody finds him behind the NAT by himself
        else:
            ways = [('office-tokyo', '10.0.2.5'), ('office-newyork', '10.0.1.5')]
        before = [self.pair(city) for city in CITIES]
        for place, target in ways:
            said = self.network.inside(place, 'ping', '-n', '-c', '3', '-i', '0.05', '-W', '3', '-s', str(size), target).decode()
            check('3 received' in said, f'of 3 pings of {size} octets to {target} some were lost: {said}')
        mine, other = ({way: after[f'{way}_packets'] - was[f'{way}_packets'] for way in ('inbound', 'outbound')}
                       for was, after in zip(before, (self.pair(city) for city in CITIES)))
        check(mine['outbound'] == other['inbound'] >= 3 * len(ways) and mine['inbound'] == other['outbound'] >= 3 * len(ways),
              f'they count otherwise: {mine} {other}')


def connects(scene, name, city, protocol=ESP, size=1200):
    scene.begin(name, city)
    scene.tap.frames()
    scene.passes(name)
    scene.passes(name, size)
    seen = {f[23] for f in scene.tap.frames() if f[12:14] == b'\x08\x00' and not is_ike(f)}
    others = seen - {17 if name.startswith('nat') else protocol}  # behind a NAT it is ESP in UDP
    check(not others, f'protocols {others} are on the wire beside {protocol}')


def agrees_on(scene, name, words):
    connects(scene, name, 'tokyo')
    suites = scene.tokyo.ike()[0]['suite'] + ' ' + scene.pair('tokyo')['suite']
    check(all(word in suites for word in words), f'they agreed on {suites}')


def compresses(scene):
    scene.begin('comp', 'newyork')
    check(all(scene.pair(city)['ipcomp'] for city in CITIES), f'the child does not compress: {scene.both()}')
    scene.tap.frames()
    scene.passes('comp', 1000)
    lengths = [len(f) for f in scene.tap.frames() if f[12:14] == b'\x08\x00' and f[23] == ESP]
    check(len(lengths) == 12 and max(lengths) < 500, f'ESP on the wire has {lengths} octets: 12 short ones should be there')


def new_child_keys(scene, name, city, place, target):
    before_ike, before = scene.have(name)
    with scene.flood(place, target):
        scene.gateways[city].torii('ike', 'rekey', f'{name}/offices')
        wait_for(lambda: all((pair := scene.pair(there)) and before['inbound_spi'] not in (pair['inbound_spi'], pair['outbound_spi'])
                             for there in CITIES), lambda: f'no new SAs: {scene.both()}', 1.5)
    ike, _ = scene.wait_until_agreed(name)
    check(ike['number'] == before_ike['number'], f'it is not the child alone: {ike}')


def new_ike_keys(scene, city):
    before, pair = scene.have('esp')
    with scene.flood('office-tokyo', '10.0.2.5'):
        scene.gateways[city].torii('ike', 'rekey', 'esp')
        wait_for(lambda: before['number'] not in [sa['number'] for sa in scene.tokyo.ike()], lambda: f'no new IKE SA: {scene.both()}', 1.5)
    after, moved = scene.wait_until_agreed('esp')
    check(after['initiator'] == (city == 'tokyo') and moved['inbound_spi'] == pair['inbound_spi'], f'the child did not move: {after} {moved}')


def fragments(scene, city):
    scene.end()
    scene.tap.frames()
    scene.begin('chain', city)
    check_ike_is_cut(scene.tap.frames(), OUTER.values())
    scene.passes('chain')


def narrows(scene, city):
    connects(scene, 'wide', city)
    for there in CITIES:
        pair, networks = scene.pair(there), [f'{OFFICE[c]}.0/24' for c in (there, other_than(there))]
        check([pair['local'], pair['remote']] == [[networks[0]], [networks[1]]], f'the traffic is another: {pair}')


def stays_out(scene, name, told):
    """Nobody comes in, whoever begins, and each log has its words: told[who begins][city]."""
    for city in CITIES:
        scene.end()
        logs = {there: len(scene.gateways[there].said()) for there in CITIES}
        scene.gateways[city].torii('ike', 'up', f'{name}/offices')
        for there in CITIES:
            wait_for(lambda: told[city][there] in scene.gateways[there].said()[logs[there]:],
                     lambda: f'{city} began, and {there} was not told "{told[city][there]}": {scene.both()}')
        scene.wait_until_nothing()


def behind_nat(scene, name):
    """newyork begins, from behind the NAT."""
    connects(scene, name, 'newyork')
    ours = scene.tokyo.ike()[0]
    check(ours['remote'] == '20.0.1.254' and ours['remote_nat'] and scene.pair('tokyo')['in_udp'], f'tokyo sees no NAT: {ours}')


def finds_next_port(scene):
    """The NAT forgets its ports, and what newyork says next comes from another one."""
    ike, pair = scene.agreed('nat') or scene.begin('nat', 'newyork')
    scene.nat.forget()
    scene.newyork.torii('ike', 'rekey', 'nat/offices')
    wait_for(lambda: (now := scene.agreed('nat')) and now[1]['inbound_spi'] != pair['inbound_spi'], lambda: f'no new SAs: {scene.both()}', 8)
    check(scene.tokyo.ike()[0]['remote_port'] != ike['remote_port'], 'the NAT has not changed its port: this proves nothing')
    scene.passes('nat')


def hears_of_strays(scene):
    """A policy of newyork's operator sends by the child what that is not for. Once in ten seconds is enough to hear of it."""
    scene.have('esp')
    stray = '10.0.2.0/24 10.0.9.0/24 any -P out'
    told = {'tokyo': 'sent by child offices what it is not for: 10.0.2.5 10.0.9.9 icmp 8,0',
            'newyork': 'a packet of ours, 10.0.2.5 10.0.9.9 icmp 8,0, which child offices is not for'}
    scene.network.ip('office-newyork', 'route add 10.0.9.0/24 via 10.0.2.1')
    scene.newyork.setkey(f'spdadd {stray} ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;')
    try:
        with scene.flood('office-newyork', '10.0.9.9', 20, 0.02, ends=True, lost_max=20):
            pass
        for city, words in told.items():
            log = scene.gateways[city].ike_log()
            check(log.count(words) == 1, f'{city} says {log.count(words)} times "{words}": {log[-900:]}')
    finally:
        scene.newyork.setkey(f'spddelete {stray};')
        scene.network.ip('office-newyork', 'route del 10.0.9.0/24')
    scene.passes('esp')


def cases(scene):
    def case(title, body, *words, **more):
        return f'Torii and Torii: {title}', lambda: body(scene, *words, **more)

    for city in CITIES:
        yield case(f'{city} begins, and the ESP tunnel carries pings of any size (RFC 7296 1.2)', connects, 'esp', city, size=2500)
        yield case(f'{city} gives the child new keys in a flood of pings, and none is lost (RFC 7296 2.8)', new_child_keys, 'esp', city,
                   'office-tokyo', '10.0.2.5')
        yield case(f'{city} gives the IKE SA new keys, and no ping is lost (RFC 7296 2.18)', new_ike_keys, city)
    yield case('a gateway that sends by a child what it is not for is told so, once (RFC 7296 3.10.1)', hears_of_strays)
    yield case('AES-CBC with HMAC-SHA-512 and ESN', agrees_on, 'cbc', ['aes256-sha512-esn'])
    yield case('ChaCha20-Poly1305 in IKE and ESP, by ECP-384', agrees_on, 'chacha', ['chacha20poly1305-prfsha512-ecp384'])
    yield case('two key exchanges one after the other (RFC 9370)', agrees_on, 'several', ['x25519-ke1_ecp384'])
    yield case('two key exchanges for new keys of the child too, and no ping is lost (RFC 9370)', new_child_keys, 'several', 'newyork',
               'office-tokyo', '10.0.2.5')
    yield case('an AH tunnel with ESN', connects, 'ah', 'newyork', AH)
    yield case('IPComp in an ESP tunnel, and both compress (RFC 7296 2.22)', compresses)
    yield case('an ESP tunnel over IPv6', connects, 'six', 'newyork')
    for city in CITIES:
        yield case(f'{city} begins ESP in transport mode (RFC 7296 1.3.1)', connects, 'host', city)
    yield case('new keys for SAs of transport mode, and no ping is lost', new_child_keys, 'host', 'newyork', 'tokyo', OUTER['newyork'])
    yield case('AH in transport mode', connects, 'host-ah', 'tokyo', AH)
    for name, words in (('rsa', 'certificates of RSA'), ('ecdsa', 'certificates of ECDSA'), ('ed25519', 'certificates of Ed25519'),
                        ('raw', 'raw keys')):
        yield case(f'{words}, and each end proves itself (RFC 7427)', connects, name, 'newyork')
    yield case('a long chain of certificates goes in fragments of IKE (RFC 7383)', fragments, 'tokyo')
    for city in CITIES:
        yield case(f'{city} begins where newyork would take more traffic, and both have what is in both (RFC 7296 2.9)', narrows, city)
    yield case('with another pre-shared key at each end there is no SA, whoever begins, and both are told', stays_out, 'stranger',
               {'tokyo': {'tokyo': 'AUTHENTICATION_FAILED', 'newyork': 'the pre-shared keys differ'},
                'newyork': {'newyork': 'AUTHENTICATION_FAILED', 'tokyo': 'the pre-shared keys differ'}})
    yield case('an identity that is not expected gets no SA, whoever begins, and both are told', stays_out, 'other-id',
               {'tokyo': {'tokyo': 'AUTHENTICATION_FAILED', 'newyork': 'who asks for newyork.other-id'},
                'newyork': {'newyork': 'AUTHENTICATION_FAILED', 'tokyo': 'elsewhere'}})
    yield case('an expired certificate gets no SA, whoever begins, and both are told (RFC 5280 4.1.2.5)', stays_out, 'expired',
               {'tokyo': {'tokyo': 'expired on', 'newyork': 'AUTHENTICATION_FAILED'},
                'newyork': {'newyork': 'AUTHENTICATION_FAILED', 'tokyo': 'expired on'}})
    yield case('newyork behind a NAT begins an ESP tunnel in UDP (RFC 7296 2.23)', behind_nat, 'nat')
    yield case('newyork behind a NAT is found at the NAT\'s next port (RFC 7296 2.23)', finds_next_port)
    yield case('newyork behind a NAT begins transport mode (RFC 7296 2.23.1)', behind_nat, 'nat-host')
