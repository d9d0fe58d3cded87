"""Torii and strongSwan beyond RFC 7296's everyday: post-quantum keys, IKE SAs without a child, addresses that
one lends the other. Both offices and both daemons are interop.py's."""
from interop import MORE, Pair
from scene import Swan, check, wait_for

SECRET = 'one secret of both'
PPK = '0123456789abcdef0123456789abcdef'
TORII = {
    'ppk': 'ppk = "required"; ppk_id = "offices-2026";',
    'ppk-or-not': 'ppk = "prefer"; ppk_id = "offices-2026";',
    'alone': 'childless = true;',
    'lends': 'pool = ["10.0.2.128/25"]; dns = ["10.0.1.53"];',  # where the route to strongSwan leads
    'borrows': 'request_address = true;',
}
SWAN = {
    'ppk': 'ppk_id = offices-2026\n ppk_required = yes',
    'ppk-or-not': 'ppk_id = offices-2026',
    'alone': 'childless = force',
    'lends': 'vips = 0.0.0.0',
    'borrows': 'pools = inner',
}
TORII_TRAFFIC = {'lends': 'local = ["10.0.1.0/24"];', 'borrows': 'remote = ["10.0.2.0/24"];'}
SWAN_TRAFFIC = {'lends': 'remote_ts = 10.0.1.0/24', 'borrows': 'local_ts = 10.0.2.0/24'}


def torii_connection(name):
    return f"""{{ name = "{name}"; local = "20.0.0.1"; remote = "20.0.0.2"; local_id = "tokyo.{name}"; remote_id = "newyork.{name}";
        {TORII[name]}
        children = ( {{ name = "offices"; {TORII_TRAFFIC.get(name, 'local = ["10.0.1.0/24"]; remote = ["10.0.2.0/24"];')}
                       proposals = ["aes128gcm16-x25519"]; }} ); }}"""


def swan_connection(name, settings):
    return f"""{name} {{ version = 2
        local_addrs = 20.0.0.2
        remote_addrs = 20.0.0.1
        encap = yes
        {settings}
        local {{ auth = psk
                id = newyork.{name} }}
        remote {{ auth = psk
                 id = tokyo.{name} }}
        children {{ offices {{ {SWAN_TRAFFIC.get(name, 'local_ts = 10.0.2.0/24' + chr(10) + 'remote_ts = 10.0.1.0/24')}
                              esp_proposals = aes128gcm16-x25519 }} }} }}"""


def swan_conf(ppk_name='offices-2026', **others):
    """`others`: connections' settings in place of the table's."""
    connections = '\n'.join(swan_connection(name, others.get(name, SWAN[name])) for name in SWAN)
    connections = connections.replace('ppk_id = offices-2026', f'ppk_id = {ppk_name}')
    return f"""connections {{ {connections} }}
        pools {{ inner {{ addrs = 10.0.1.128/25
                        dns = 10.0.2.53 }} }}
        secrets {{ ike-1 {{ secret = "{SECRET}" }}
                  ppk-1 {{ secret = "{PPK}"
                          id-1 = {ppk_name} }} }}"""


class Beyond(Pair):
    """Both daemons with these connections, and shared keys alone."""

    def __init__(self):
        Swan.__init__(self, ', '.join(map(torii_connection, TORII)), MORE.replace('authorities = ["ca.pem"]', 'ppk_file = "ppk.txt"'))

    def prepare(self):
        self.write('psk.txt', f'20.0.0.2 {SECRET}\n')
        self.write('ppk.txt', f'offices-2026 {PPK}\n')

    def start_swan(self):
        Swan.start_swan(self)
        self.swan.load(swan_conf())


def has_ppk(scene, name, side):
    scene.end()
    ike, _ = scene.begin(name, side)
    check((ike['initiator'], ike['ppk']) == (side == 'torii', 'offices-2026'), f'the PPK is not in it: {ike}')
    scene.both_ways()
    if side == 'torii':
        scene.torii.torii('ike', 'rekey', name)
        wait_for(lambda: ike['number'] not in [sa['number'] for sa in scene.torii.ike()], lambda: f'no new IKE SA: {scene.both()}')
        scene.torii.torii('ike', 'rekey', f'{name}/offices')
        wait_for(lambda: scene.agreed(name) and scene.held()[0]['ppk'], lambda: f'no agreement afterwards: {scene.both()}', 8)
        scene.both_ways()


def has_another_ppk(scene, side):
    """strongSwan has one of another name: required it keeps both apart, preferred it is left out, if strongSwan is asked for none by name."""
    scene.end()
    scene.swan.load(swan_conf('laptops', **({'ppk-or-not': ''} if side == 'torii' else {})))
    try:
        torii_log = len(scene.torii.said())
        if side == 'torii':
            scene.torii.torii('ike', 'up', 'ppk/offices')
            wait_for(lambda: 'AUTHENTICATION_FAILED' in scene.torii.said()[torii_log:], lambda: f'torii was not told: {scene.both()}')
            wait_for(lambda: 'PPK' in scene.swan.said(), lambda: f'charon says nothing of PPKs: {scene.both()}')
        else:
            check(scene.swan.ask('--initiate', '--ike', 'ppk', '--child', 'offices', '--timeout', '8').returncode, 'swanctl says that it is up')
            wait_for(lambda: 'he names PPK laptops, and we have offices-2026' in scene.torii.said()[torii_log:],
                     lambda: f'torii does not say which: {scene.both()}')
        scene.wait_until_nothing()
        ike, _ = scene.begin('ppk-or-not', side)
        check(ike['ppk'] == '', f'nobody can have the same PPK: {ike}')
        scene.both_ways()
    finally:
        scene.end()
        scene.swan.load(swan_conf())


def childless(scene, name, side, alone):
    """What toriid has told of an exchange is in its log; strongSwan's says which messages it took."""
    scene.end()
    log = len(scene.swan.said())
    scene.begin(name, side)
    said = scene.swan.said()[log:]
    check(('CREATE_CHILD_SA' in said) == alone, f'the child came in another way: {said[-900:]}')
    scene.both_ways()


def never_childless(scene):
    """Of all its connections, since strongSwan says what it takes before it knows which one is meant."""
    scene.end()
    scene.swan.load(swan_conf(**dict.fromkeys(SWAN, 'childless = never')))
    try:
        childless(scene, 'alone', 'torii', False)
    finally:
        scene.end()
        scene.swan.load(swan_conf())


def is_lent(scene):
    """strongSwan's side of the tunnel is the address alone, twice."""
    for _ in range(2):
        scene.end()
        ike, pair = scene.begin('lends', 'swan')
        check((ike['internal_addresses'], pair['local'], pair['remote']) == (['10.0.2.129'], ['10.0.1.0/24'], ['10.0.2.129']),
              f'torii lends something else: {ike} {pair}')
        check(scene.swan.sas()[0]['local-vips'] == ['10.0.2.129'], f'strongSwan was lent something else: {scene.swan.sas()}')
        scene.ping('office', '10.0.2.129')
        scene.ping('swan', '10.0.1.5')


def borrows(scene):
    """The host in our office takes the address that Torii was lent."""
    scene.end()
    ike, pair = scene.begin('borrows', 'torii')
    check((ike['internal_addresses'], ike['internal_dns']) == (['10.0.1.129'], ['10.0.2.53']), f'torii was lent something else: {ike}')
    check((pair['local'], pair['remote']) == (['10.0.1.129'], ['10.0.2.0/24']), f'the traffic is another: {pair}')
    scene.network.ip('office', 'addr add 10.0.1.129/24 dev eth0')
    scene.network.ip('office', 'route replace 10.0.2.0/24 via 10.0.1.1 src 10.0.1.129')
    try:
        scene.ping('office', '10.0.2.5')
        scene.ping('swan', '10.0.1.129')
    finally:
        scene.network.ip('office', 'route replace 10.0.2.0/24 via 10.0.1.1')
        scene.network.ip('office', 'addr del 10.0.1.129/24 dev eth0')


def cases(scene):
    """The cases as (title, body), in an order in which each finds what the one before it left."""
    def case(title, body, *words):
        return title, lambda: body(scene, *words)

    for side, name in (('torii', 'Torii'), ('swan', 'strongSwan')):
        yield case(f'{name} begins with a post-quantum key that both require, and it is in their keys (RFC 8784)', has_ppk, 'ppk', side)
        yield case(f'{name} begins with a post-quantum key that the other has not: no SA if one requires it, else one without (RFC 8784)',
                   has_another_ppk, side)
        yield case(f'{name} makes the IKE SA alone, and the child by an exchange of its own (RFC 6023)', childless, 'alone', side, True)
    yield case('where strongSwan takes no IKE SA without a child, Torii makes the child with it (RFC 6023)', never_childless)
    yield case('strongSwan is lent an address by Torii, the same one when it comes back, and pings from it (RFC 7296 2.19)', is_lent)
    yield case('Torii is lent an address by strongSwan, and pings pass from it (RFC 7296 2.19)', borrows)
