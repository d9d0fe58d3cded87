"""Torii and strongSwan, a stranger's implementation: every exchange with either of them as the one who begins.

What each case expects it asks both sides for (`torii show ike`, `swanctl --list-sas`), and then sends packets through.
"""
from certificates import Person, ecdsa_key, rsa_key
from places import WireTap
from scene import Pings, Swan, check, check_ike_is_cut, wait_for

WAYS = {'psk': ('20.0.0.1', '20.0.0.2'),
        'ecdsa': ('tokyo.ecdsa.example', 'newyork.ecdsa.example'),
        'rsa': ('tokyo.rsa.example', 'newyork.rsa.example'),
        'chain': ('tokyo.chain.example', 'newyork.chain.example'),
        'late': ('tokyo.late.example', 'newyork.late.example'),  # strongSwan's certificate has expired
        'stale': ('tokyo.stale.example', 'newyork.stale.example')}  # Torii's has
MORE = """
    psk_file = "psk.txt";
    authorities = ["ca.pem"];
    retransmit_milliseconds = 300;
    retransmissions = 3;
"""
SECRET = 'one secret of both'
OTHER_OF_SWAN = '20.0.0.9'
PROOF = {name: 'psk' if name == 'psk' else 'certificate' for name in WAYS}
EXPIRED = [('late', 1), ('stale', 0)]
BETWEEN = 5  # certificates between the authority and an end of the long chain


def torii_connection(name):
    us, peer = WAYS[name]
    files = f'auth = "certificate"; certificate = "{name}.pem"; key = "{name}.key";' if name != 'psk' else ''
    return f"""{{ name = "{name}"; local = "20.0.0.1"; remote = "20.0.0.2"; local_id = "{us}"; remote_id = "{peer}"; {files} dpd_seconds = 1;
        mobike = true;
        children = ( {{ name = "offices"; local = ["10.0.1.0/24"]; remote = ["10.0.2.0/24"]; ipcomp = true; proposals = ["aes128gcm16-x25519"]; }} ); }}"""


def swan_connection(name, us=None, peer=None):
    peer, us = peer or WAYS[name][0], us or WAYS[name][1]
    proof = f'auth = pubkey\n certs = {name}.pem' if name != 'psk' else 'auth = psk'
    return f"""{name} {{ version = 2
        local_addrs = 20.0.0.2
        remote_addrs = 20.0.0.1
        encap = yes
        local {{ {proof}
                id = {us} }}
        remote {{ auth = {'psk' if name == 'psk' else 'pubkey'}
                 id = {peer} }}
        children {{ offices {{ local_ts = 10.0.2.0/24
                              remote_ts = 10.0.1.0/24
                              esp_proposals = aes128gcm16-x25519 }} }} }}"""


def swan_conf(secret=SECRET, **ids):
    connections = '\n'.join(swan_connection(name, **ids.get(name, {})) for name in WAYS)
    return f'connections {{ {connections} }}\nsecrets {{ ike-1 {{ secret = "{secret}" }} }}\n'


class Pair(Swan):
    """Both daemons with all the connections, and the files that these want."""

    def __init__(self):
        super().__init__(', '.join(torii_connection(name) for name in WAYS), MORE)

    def prepare(self):
        self.ca = {'ecdsa': Person('Torii ECDSA authority', ecdsa_key(), authority=True)}
        self.ca['rsa'] = Person('Torii RSA authority', rsa_key(), authority=True)
        last, between = self.ca['rsa'], rsa_key()
        for number in range(BETWEEN):
            last = Person(f'Torii authority number {number} of a long chain', between, last, authority=True)
        issuers = {'chain': last, 'rsa': self.ca['rsa'], **dict.fromkeys(('ecdsa', 'late', 'stale'), self.ca['ecdsa'])}
        self.people = {(name, side): Person(WAYS[name][side], rsa_key() if name in ('rsa', 'chain') else ecdsa_key(), issuer,
                                            expired=(name, side) in EXPIRED)
                       for name, issuer in issuers.items() for side in (0, 1)}
        self.write('psk.txt', f'20.0.0.2 {SECRET}\n')
        self.write('ca.pem', ''.join(ca.pem() for ca in self.ca.values()))
        for name in issuers:
            self.write(f'{name}.pem', self.people[name, 0].chain())
            self.write(f'{name}.key', self.people[name, 0].key_pem())

    def start_swan(self):
        super().start_swan()
        for name, ca in self.ca.items():
            self.swan.write(f'x509ca/{name}.pem', ca.pem())
        for (name, side), person in self.people.items():
            if side == 1:
                self.swan.write(f'x509/{name}.pem', person.pem())
                self.swan.write(f'private/{name}.pem', person.key_pem())
                while (person := person.issuer).issuer:
                    self.swan.write(f'x509ca/{person.name.replace(" ", "-")}.pem', person.pem())
        self.swan.load(swan_conf())

    # ---- what there is

    def agreed(self, name):
        """True once both sides have one and the same IKE SA with one pair of SAs in it."""
        ours, theirs = self.torii.ike(), self.swan.sas()
        pairs = [pair for pair in self.torii.children() if pair['state'] == 'installed']  # an old one stays for late packets
        if len(ours) != 1 or len(theirs) != 1 or len(pairs) != 1 or len(theirs[0]['children']) != 1:
            return False
        us, them, pair, child = ours[0], theirs[0], pairs[0], theirs[0]['children'][0]
        return ((us['connection'], us['state'], them['connection'], them['state']) == (name, 'established', name, 'ESTABLISHED') and
                (pair['state'], child['state']) == ('installed', 'INSTALLED') and
                [int(us[spi], 16) for spi in ('initiator_spi', 'responder_spi')] ==
                [int(them[spi], 16) for spi in ('initiator-spi', 'responder-spi')] and
                (pair['inbound_spi'], pair['outbound_spi']) == (int(child['spi-out'], 16), int(child['spi-in'], 16)))

    def wait_until_agreed(self, name):
        wait_for(lambda: self.agreed(name), lambda: f'the two never agreed on {name}: {self.both()}')
        return self.held()

    def held(self):
        """Our IKE SA and the pair of SAs in use, when there is one of each."""
        return self.torii.ike()[0], next(pair for pair in self.torii.children() if pair['state'] == 'installed')

    def wait_until_nothing(self, seconds=5):
        wait_for(lambda: not (self.torii.ike() or self.torii.children() or self.swan.sas()),
                 lambda: f'SAs are left: {self.torii.ike()} {self.swan.sas()}', seconds)

    def begin(self, name, side):
        """Begins a connection by one side, when none is there."""
        if side == 'torii':
            self.torii.torii('ike', 'up', f'{name}/offices')
        else:
            self.swan.swanctl('--initiate', '--ike', name, '--child', 'offices', '--timeout', '8')
        return self.wait_until_agreed(name)

    def end(self):
        for name in {sa['connection'] for sa in self.torii.ike() if sa['state'] == 'established'}:
            self.torii.torii('ike', 'down', name)
        self.wait_until_nothing()

    def have(self, name):
        return self.held() if self.agreed(name) else (self.end(), self.begin(name, 'torii'))[1]

    def both_ways(self):
        self.ping('office', '10.0.2.5')
        self.ping('swan', '10.0.1.5')


def connects(scene, name, side):
    scene.end()
    ike, pair = scene.begin(name, side)
    check(ike['initiator'] == (side == 'torii'), f'it was not {side} who began: {ike}')
    check((ike['local_id'], ike['remote_id']) == WAYS[name], f'the identities are others: {ike}')
    check(ike['local_auth'] == ike['remote_auth'] == PROOF[name], f'they proved themselves in another way: {ike}')
    theirs = scene.swan.sas()[0]
    check((theirs['remote-id'], theirs['local-id']) == WAYS[name], f'to strongSwan the identities are others: {theirs}')
    check((pair['local'], pair['remote']) == (['10.0.1.0/24'], ['10.0.2.0/24']), f'the traffic is another: {pair}')
    check(pair['in_udp'] and pair['suite'].startswith('aes128gcm16'), f'the SAs are others: {pair}')
    scene.both_ways()
    pair, child = scene.torii.children()[0], scene.swan.sas()[0]['children'][0]
    check(pair['outbound_packets'] == int(child['packets-in']) == pair['inbound_packets'] == int(child['packets-out']) == 6,
          f'both sides should have counted 6 packets each way: {pair} {child}')


def rekeys_child(scene, side):
    before_ike, before = scene.have('psk')
    with scene.flood('office', '10.0.2.5'):
        if side == 'torii':
            scene.torii.torii('ike', 'rekey', 'psk/offices')
        else:
            scene.swan.swanctl('--rekey', '--child', 'offices')
        wait_for(lambda: all(c['inbound_spi'] != before['inbound_spi'] for c in scene.torii.children() if c['state'] == 'installed'),
                 lambda: f'no new SAs: {scene.both()}', 1)
    ike, after = wait_for(lambda: scene.agreed('psk') and scene.have('psk'), lambda: f'no agreement afterwards: {scene.both()}', 8)
    check(ike['number'] == before_ike['number'], 'the IKE SA is another one')
    check(after['inbound_spi'] != before['inbound_spi'] and after['outbound_spi'] != before['outbound_spi'], 'the SPIs are the old ones')
    check('x25519' in after['suite'] and scene.swan.sas()[0]['children'][0].get('dh-group') == 'CURVE_25519',
          f'there was no key exchange of its own: {after}')
    scene.both_ways()


def rekeys_ike(scene, side):
    before, before_pair = scene.have('psk')
    with scene.flood('office', '10.0.2.5'):
        if side == 'torii':
            scene.torii.torii('ike', 'rekey', 'psk')
        else:
            scene.swan.swanctl('--rekey', '--ike', 'psk')
        wait_for(lambda: before['number'] not in [sa['number'] for sa in scene.torii.ike()], lambda: f'no new IKE SA: {scene.both()}', 1.2)
    after, pair = scene.wait_until_agreed('psk')
    check((before['initiator_spi'], before['responder_spi']) != (after['initiator_spi'], after['responder_spi']), 'the SPIs are the old ones')
    check(after['initiator'] == (side == 'torii'), 'whoever rekeys is the initiator of the new IKE SA')
    check(pair['inbound_spi'] == before_pair['inbound_spi'], 'the child is another one: it should have moved')
    scene.both_ways()


def reauthenticates(scene):
    before, _ = scene.have('psk')
    with scene.flood('office', '10.0.2.5', interval=0.015):  # the old one stays for what is under way
        scene.torii.torii('ike', 'reauth', 'psk')
        wait_for(lambda: before['number'] not in [sa['number'] for sa in scene.torii.ike()], lambda: f'no new IKE SA: {scene.both()}', 8)
    wait_for(lambda: scene.agreed('psk'), lambda: f'no agreement afterwards: {scene.both()}', 8)
    scene.both_ways()


def does_without_ipcomp(scene):
    """Every child of these offers it; the kernel-libipsec of strongSwan knows none, so that charon answers without."""
    _, pair = scene.have('psk')
    check(not pair['ipcomp'] and pair['mode'] == 'tunnel', f'it should be ESP alone: {pair}')
    check('C: deflate' not in scene.torii.torii('setkey', '-D'), 'there are SAs of IPComp')
    check('IPCOMP_SUPPORTED' in scene.swan.said() or 'IPCOMP' in scene.swan.said(), 'strongSwan was not offered any')
    scene.both_ways()


def swan_moves(scene):
    """strongSwan begins and loses its address; another one of it takes its place. Its kernel-libipsec cannot move an SA, so that it gives
    its child new keys there."""
    scene.end()
    ike, _ = scene.begin('psk', 'swan')
    network = scene.network
    network.inside('swan', 'sysctl', '-qw', 'net.ipv4.conf.eth0.promote_secondaries=1')
    network.ip('swan', f'addr add {OTHER_OF_SWAN}/24 dev eth0')
    try:
        with Pings(network, 'office', '10.0.2.5', 600, 0.005) as pings:
            network.ip('swan', 'addr del 20.0.0.2/24 dev eth0')
            wait_for(lambda: scene.torii.ike()[0]['remote'] == OTHER_OF_SWAN, lambda: f'torii knows nothing of it: {scene.both()}', 3)
            answers = pings.answers(seconds=1)
        lost = [n for n, times in enumerate(answers) if times == 0]
        check(len(lost) < 300 and (not lost or lost[-1] - lost[0] + 1 == len(lost)), f'pings {lost} were lost: more than one gap of 1.5 s')
        scene.wait_until_agreed('psk')
        check(len(scene.torii.ike()) == 1 and scene.torii.ike()[0]['number'] == ike['number'], f'there is another IKE SA: {scene.both()}')
        check(OTHER_OF_SWAN in (dump := scene.torii.torii('setkey', '-D')) and '20.0.0.2[' not in dump, f'an SA is where strongSwan was: {dump}')
        scene.both_ways()
    finally:
        network.ip('swan', 'addr add 20.0.0.2/24 dev eth0')
        network.ip('swan', f'addr del {OTHER_OF_SWAN}/24 dev eth0')


def deletes(scene, side):
    ike, _ = scene.have('psk')
    if side == 'torii':
        scene.torii.torii('ike', 'down', 'psk/offices')
    else:
        scene.swan.swanctl('--terminate', '--child', 'offices')
    wait_for(lambda: not scene.torii.children() and not scene.swan.sas()[0]['children'], lambda: f'a child is left: {scene.both()}', 8)
    check([sa['number'] for sa in scene.torii.ike()] == [ike['number']], 'the IKE SA should be there still')
    if side == 'torii':
        scene.torii.torii('ike', 'down', 'psk')
    else:
        scene.swan.swanctl('--terminate', '--ike', 'psk')
    scene.wait_until_nothing()


def stays_out(scene, conf, told_torii, told_swan, name='psk'):
    """With this configuration of strongSwan neither side comes in, whoever begins, and each log says why."""
    scene.end()
    scene.swan.load(conf)
    try:
        for side in ('torii', 'swan'):
            torii_log, swan_log = len(scene.torii.said()), len(scene.swan.said())
            if side == 'torii':
                scene.torii.torii('ike', 'up', f'{name}/offices')
            else:
                done = scene.swan.ask('--initiate', '--ike', name, '--child', 'offices', '--timeout', '8')
                check(done.returncode, 'swanctl says that it is up')
            for words, log, start in ((told_torii[side], scene.torii.said, torii_log), (told_swan[side], scene.swan.said, swan_log)):
                wait_for(lambda: words in log()[start:], lambda: f'{side} began, and nobody was told "{words}": {scene.both()}')
            scene.wait_until_nothing()
    finally:
        scene.swan.load(swan_conf())


def fragments(scene, side):
    tap = WireTap(scene.network, 'wire', 'torii')
    try:
        connects(scene, 'chain', side)
        check_ike_is_cut(tap.frames(), ('20.0.0.1', '20.0.0.2'))
    finally:
        tap.close()


def notices_death(scene):
    scene.have('psk')
    scene.swan.kill()
    wait_for(lambda: not scene.torii.ike() and not scene.torii.children(),
             lambda: f'torii believes it alive: {scene.torii.ike()} {scene.torii.ike_log()[-500:]}', 12)
    scene.start_swan()
    scene.begin('psk', 'torii')
    scene.both_ways()


def cases(scene):
    """The cases as (title, body), in an order in which each finds what the one before it left."""
    def case(title, body, *words):
        return title, lambda: body(scene, *words)

    names = {'torii': 'Torii', 'swan': 'strongSwan'}
    for side, name in names.items():
        yield case(f'{name} begins by a pre-shared key, and both offices reach each other (RFC 7296 1.2)', connects, 'psk', side)
        yield case(f'{name} gives the child new keys in a flood of pings, and none is lost (RFC 7296 2.8)', rekeys_child, side)
        yield case(f'{name} gives the IKE SA new keys, the child moves over, and no ping is lost (RFC 7296 2.18)', rekeys_ike, side)
        yield case(f'{name} deletes the child and then the IKE SA, and the other side follows (RFC 7296 1.4.1)', deletes, side)
    yield case('Torii offers IPComp to a strongSwan that has none, and the child does without (RFC 7296 2.22)', does_without_ipcomp)
    yield case('Torii proves itself again to strongSwan, the new IKE SA first, and no ping is lost (RFC 7296 2.8.3)', reauthenticates)
    for side, name in names.items():
        for kind, words in (('ecdsa', 'an ECDSA certificate of P-256'), ('rsa', 'an RSA certificate')):
            yield case(f'{name} begins by {words}, and is shown one (RFC 7427)', connects, kind, side)
        yield case(f'{name} begins by a long chain of certificates, which goes in fragments of IKE (RFC 7383)', fragments, side)
    yield case('with another pre-shared key on each side there is no SA, whoever begins, and both are told', stays_out,
               swan_conf(secret='another'), {'torii': 'AUTHENTICATION_FAILED', 'swan': 'the pre-shared keys differ'},
               {'torii': 'AUTH_FAILED', 'swan': 'AUTH_FAILED'})
    yield case('strongSwan with an identity that Torii does not expect gets no SA, whoever begins, and both are told', stays_out,
               swan_conf(psk={'us': '20.0.0.9'}), {'torii': 'AUTHENTICATION_FAILED', 'swan': '20.0.0.9'},
               {'torii': 'no matching peer config found', 'swan': 'AUTH_FAILED'})
    yield case('where strongSwan\'s certificate has expired there is no SA, whoever begins, and both are told (RFC 5280 4.1.2.5)', stays_out,
               swan_conf(), dict.fromkeys(names, 'expired on'), {'torii': 'AUTH_FAILED', 'swan': 'AUTH_FAILED'}, 'late')
    yield case('where Torii\'s certificate has expired there is no SA, whoever begins, and both are told (RFC 5280 4.1.2.5)', stays_out,
               swan_conf(), dict.fromkeys(names, 'AUTHENTICATION_FAILED'), dict.fromkeys(names, 'certificate invalid'), 'stale')
    yield case('strongSwan gets another address, and its IKE SA and its child go on there after one gap in the pings (RFC 4555)', swan_moves)
    yield case('when strongSwan dies without a word Torii notices, and connects again when it is back (RFC 7296 2.4)', notices_death)
