"""Torii and strongSwan over the XFRM of a real Linux: what its kernel-libipsec (interop.py) cannot do, and what a kernel does otherwise."""
import contextlib
import glob
import os
import subprocess

import uml
from certificates import Person, ed25519_key
from kernel_cases import (behind_nat, by_example, comes_back, compresses, connects, moves, narrows, new_child_keys, new_ike_keys, titled, traps,
                          with_esn)
from kernel_scene import BEHIND_NAT, INNER, OUTER, OUTER6, SECRET, Daemon, KernelScene, check, example, torii_connection, wait_for
from places import Wrong
from strongswan import CHARON, PLUGINS, SWANCTL

LOADED = 'random nonce openssl hmac kdf gcm pem pkcs1 pkcs8 pubkey x509 constraints kernel-netlink socket-default vici updown'
LIBGCC = 'libgcc_s.so.1'  # glibc loads it by itself when a thread ends
VICI = f'tcp://{BEHIND_NAT}:4502'  # swanctl runs here: in the guest it would take its time
MODULES = ['sha256_generic', 'chacha20poly1305']
CONF = f"""
charon {{
  load = {LOADED}
  retransmit_timeout = 0.5
  retransmit_tries = 4
  retransmit_base = 1.5
  make_before_break = yes
  delete_rekeyed_delay = 1
  plugins {{ vici {{ socket = {VICI.replace(BEHIND_NAT, '0.0.0.0')} }} }}
  filelog {{ all {{ path = {Daemon.log}
                 default = 1
                 flush_line = yes }} }}
}}
swanctl {{ load = pem pkcs1 pkcs8 pubkey x509 openssl random }}
"""
OFFICES = 'local = ["10.0.1.0/24"]; remote = ["10.0.2.0/24"];'
SWAN_OFFICES = 'local_ts = 10.0.2.0/24\n remote_ts = 10.0.1.0/24'
# connection: toriid's child, and its further settings; strongSwan's child, and its further settings
WAYS = {
    'esp': (f'{OFFICES} proposals = ["aes128gcm16-x25519"];', 'mobike = true;', f'{SWAN_OFFICES}\n esp_proposals = aes128gcm16-x25519', ''),
    'cbc': (f'{OFFICES} proposals = ["aes256-sha512-esn"];', '', f'{SWAN_OFFICES}\n esp_proposals = aes256-sha512-esn\n replay_window = 128', ''),
    'esn': (f'{OFFICES} proposals = ["aes256gcm16-esn"];', '', f'{SWAN_OFFICES}\n esp_proposals = aes256gcm16-esn\n replay_window = 128', ''),
    'comp': (f'{OFFICES} ipcomp = true;', '', f'{SWAN_OFFICES}\n ipcomp = yes\n esp_proposals = aes128gcm16', ''),
    'ah': (f'{OFFICES} protocol = "ah"; proposals = ["sha256"];', '', f'{SWAN_OFFICES}\n ah_proposals = sha256', ''),
    'host': ('mode = "transport"; proposals = ["aes128gcm16-x25519"];', '', 'mode = transport\n esp_proposals = aes128gcm16-x25519', ''),
    'host-ah': ('mode = "transport"; protocol = "ah"; proposals = ["sha256-esn"];', '',
                'mode = transport\n ah_proposals = sha256-esn\n replay_window = 128', ''),
    'host-comp': ('mode = "transport"; ipcomp = true;', '', 'mode = transport\n ipcomp = yes\n esp_proposals = aes128-sha256', ''),
    'wide': (OFFICES, '', 'local_ts = 10.0.0.0/8\n remote_ts = 10.0.0.0/8', ''),
    'trap': (OFFICES, '', f'{SWAN_OFFICES}\n start_action = none', ''),
    'back': (OFFICES, 'dpd_seconds = 60;', SWAN_OFFICES, ''),
    'ed25519': (OFFICES, 'auth = "certificate"; certificate = "tokyo.pem"; key = "tokyo.key";', SWAN_OFFICES, ''),
    'six': (f'{OFFICES} proposals = ["aes128gcm16"];', '', f'{SWAN_OFFICES}\n esp_proposals = aes128gcm16', ''),
    'nat': (f'{OFFICES} proposals = ["aes128gcm16-x25519"];', '', f'{SWAN_OFFICES}\n esp_proposals = aes128gcm16-x25519', ''),
    'nat-host': ('mode = "transport"; proposals = ["aes128gcm16"];', '', 'mode = transport\n esp_proposals = aes128gcm16', ''),
}
ENDS = {'six': ('2001:db8::1', OUTER6), 'nat': ('20.0.0.1', None), 'nat-host': ('20.0.0.1', None)}


def torii_connections():
    for name, (child, settings, *_) in WAYS.items():
        local, remote = ENDS.get(name, ('20.0.0.1', OUTER))
        yield torii_connection(name, child, settings, local, remote)


def swan_connection(name):
    _, _, child, settings = WAYS[name]
    there, here = ENDS.get(name, ('20.0.0.1', OUTER))
    proof = 'auth = pubkey\n certs = newyork.pem' if name == 'ed25519' else 'auth = psk'
    return f"""{name} {{ version = 2
 local_addrs = {'%any' if name == 'esp' else here or BEHIND_NAT}
 remote_addrs = {there}
 proposals = aes128gcm16-prfsha256-x25519
 mobike = {'yes' if name == 'esp' else 'no'}
 {settings}
 local {{ {proof}
 id = newyork.{name} }}
 remote {{ auth = {'pubkey' if name == 'ed25519' else 'psk'}
 id = tokyo.{name} }}
 children {{ {name} {{ {child} }} }} }}
"""


class StrongSwan(Daemon):
    name = 'strongSwan'

    def cargo(self):
        plugins = [f'{PLUGINS}/libstrongswan-{name}.so' for name in LOADED.split()]
        files = {file: file for file in (CHARON, *plugins) if os.path.exists(file)}
        files.update({'/lib/x86_64-linux-gnu/' + LIBGCC: file for file in glob.glob(f'/lib/*/{LIBGCC}')})
        return uml.Cargo('strongswan', files, MODULES)

    def files(self):
        return {'/etc/strongswan.conf': CONF}

    def start(self):
        self.guest.check(f'mkdir -p /var/run /etc/ipsec.d; {CHARON} >/tmp/charon.out 2>&1 &')
        wait_for(lambda: self.ask('--stats').returncode == 0, lambda: f'charon does not start: {self.said()}', 20)
        self.swanctl('--load-all', '--clear', '--file', f'{self.scene.folder}/swanctl.conf')

    def kill(self):
        self.guest.check('kill -9 $(cat /var/run/charon.pid)')

    def restart(self):
        """charon leaves to the system what a charon before it has put into the kernel."""
        self.guest.check('ip xfrm policy flush; ip xfrm state flush')
        self.start()

    def ask(self, *words):
        """What swanctl did, good or not."""
        folder = self.scene.folder
        environment = {**os.environ, 'STRONGSWAN_CONF': f'{folder}/strongswan.conf', 'SWANCTL_DIR': folder}
        return subprocess.run(['ip', 'netns', 'exec', self.scene.network.name('wire'), SWANCTL, *words, '--uri', VICI], env=environment,
                              text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)

    def swanctl(self, *words):
        """What swanctl prints; it must succeed."""
        done = self.ask(*words)
        if done.returncode:
            raise Wrong(f'swanctl {" ".join(words)}: {(done.stdout + done.stderr)[-400:]}')
        return done.stdout

    def up(self, connection):
        child = 'offices' if connection in self.example else connection
        self.swanctl('--initiate', '--ike', self.example.get(connection, connection), '--child', child, '--timeout', '8')

    @contextlib.contextmanager
    def trap(self, connection):
        self.swanctl('--install', '--child', connection)
        try:
            yield
        finally:
            self.swanctl('--uninstall', '--child', connection)

    def rekey_child(self, connection):
        self.swanctl('--rekey', '--child', connection)

    def rekey_ike(self, connection):
        self.swanctl('--rekey', '--ike', connection)


class Strong(KernelScene):
    def __init__(self):
        super().__init__(StrongSwan(), list(torii_connections()), 'authorities = ["ca.pem"];')

    def prepare(self):
        ca = Person('Torii Ed25519 authority', ed25519_key(), authority=True)
        tokyo, newyork = (Person(f'{city}.ed25519', ed25519_key(), ca) for city in ('tokyo', 'newyork'))
        for name, text in (('ca.pem', ca.pem()), ('tokyo.pem', tokyo.pem()), ('tokyo.key', tokyo.key_pem()), ('x509ca/ca.pem', ca.pem()),
                           ('x509/newyork.pem', newyork.pem()), ('private/newyork.pem', newyork.key_pem()), ('strongswan.conf', CONF),
                           ('swanctl.conf', f'connections {{ {"".join(map(swan_connection, WAYS))} }}\n'
                                            f'secrets {{ ike-1 {{ secret = {SECRET} }} }}\n'
                                            + example('peers', 'swanctl.conf').replace('start_action = trap', ''))):
            os.makedirs(os.path.dirname(os.path.join(self.folder, name)), exist_ok=True)
            self.write(name, text)


def missing():
    """Why these cases cannot run here, in words; None if they can."""
    if why := uml.missing():
        return why
    for file in (CHARON, SWANCTL, f'{PLUGINS}/libstrongswan-openssl.so', f'{PLUGINS}/libstrongswan-kernel-netlink.so'):
        if not os.path.exists(file):
            return f'there is no {os.path.basename(file)}: Debian has it in strongswan-charon, strongswan-swanctl and ' \
                   'libstrongswan-standard-plugins'
    return None


# ---- what strongSwan alone does here

def reauthenticates(scene, name):
    """strongSwan with make_before_break: a second IKE SA with a second child beside the first ones, which then go."""
    before, pair = scene.have(name)
    with scene.flood('office', INNER, count=700, interval=0.01):
        scene.daemon.swanctl('--rekey', '--ike', name, '--reauth')
        wait_for(lambda: before['number'] not in [sa['number'] for sa in scene.torii.ike()], lambda: f'no new IKE SA: {scene.both()}', 5)
    after, other = scene.wait_until_agreed(name)
    check(not after['initiator'] and other['inbound_spi'] != pair['inbound_spi'], f'the SAs are not made anew: {after} {other}')


def notices_death(scene, name):
    """A guest that is held still says nothing to anybody. What it knows when it goes on is nothing worth: Torii begins anew."""
    before, _ = scene.have(name)
    with scene.guest.held():
        wait_for(lambda: not scene.torii.ike() and not scene.torii.children(),
                 lambda: f'torii believes it alive: {scene.torii.ike()} {scene.torii.ike_log()[-500:]}', 15)
    after, _ = scene.begin(name, 'torii')
    check(after['number'] != before['number'], f'it is the old IKE SA: {after}')
    scene.passes()


def cases(scene):
    case = titled('strongSwan', scene)
    host = {'mode': 'transport'}
    sides = (('torii', 'Torii'), ('guest', 'strongSwan'))
    for side, name in sides:
        yield case(f'{name} begins, and the ESP tunnel with strongSwan carries pings of any size (RFC 7296 1.2)', connects, 'esp', side, suite='aes128gcm16')
        yield case(f'{name} gives the child new keys in a flood of pings, and none is lost (RFC 7296 2.8)', new_child_keys, 'esp', side)
        yield case(f'{name} gives the IKE SA new keys, and no ping is lost (RFC 7296 2.18)', new_ike_keys, 'esp', side)
    yield case('the peer\'s file of the office VPN and tokyo.conf bring up the tunnel, whoever begins', by_example)
    yield case('strongSwan proves itself again, the new IKE SA first, and no ping is lost (RFC 7296 2.8.3)', reauthenticates, 'esp')
    for side, name in sides:
        yield case(f'{name} begins ESP in transport mode, Torii and strongSwan (RFC 7296 1.3.1)', connects, 'host', side, **host)
        yield case(f'{name} gives the SAs of transport mode new keys, and no ping is lost', new_child_keys, 'host', side, 'torii', OUTER)
    yield case('Torii begins an AH tunnel with strongSwan', connects, 'ah', 'torii', 51)
    yield case('strongSwan begins an AH tunnel', connects, 'ah', 'guest', 51)
    yield case('Torii begins AH in transport mode with ESN', with_esn, 'host-ah', 'torii', protocol=51, **host)
    yield case('strongSwan begins AH in transport mode with ESN', with_esn, 'host-ah', 'guest', protocol=51, **host)
    yield case('ESP with ESN, AES-GCM', with_esn, 'esn', 'torii')
    yield case('ESP with ESN, AES-CBC and HMAC-SHA-512', with_esn, 'cbc', 'guest')
    for side, name in sides:
        yield case(f'{name} begins IPComp in an ESP tunnel, and both compress (RFC 7296 2.22)', compresses, 'comp', side, 'tunnel', INNER, '10.0.1.5')
    yield case('IPComp in ESP of transport mode: both compress (RFC 7296 2.22)', compresses, 'host-comp', 'torii', 'transport', OUTER, '20.0.0.1')
    yield case('an ESP tunnel with strongSwan over IPv6', connects, 'six', 'torii')
    for side, name in sides:
        yield case(f'{name} begins by a certificate of Ed25519 (RFC 8420)', connects, 'ed25519', side)
    for side, name in sides:
        yield case(f'{name} begins, strongSwan wants more traffic than Torii, and the kernel gets what is in both (RFC 7296 2.9)', narrows, 'wide', side)
    yield case('a packet of the guest makes its kernel ask strongSwan, which begins', traps, 'trap')
    yield case('the guest gets another address: the SAs go there as they are, after one gap in the pings (RFC 4555)', moves, 'esp')
    yield case('strongSwan behind a NAT begins an ESP tunnel, gets new keys, and is found at the NAT\'s next port (RFC 7296 2.23)', behind_nat,
               'nat', 'tunnel')
    yield case('strongSwan behind a NAT begins transport mode, and TCP passes (RFC 7296 2.23.1)', behind_nat,
               'nat-host', 'transport')
    yield case('the guest falls silent, Torii notices, and connects anew when it is back (RFC 7296 2.4)', notices_death, 'esp')
    yield case('charon is killed and begins anew, and Torii forgets the old SAs at once (RFC 7296 2.4)', comes_back, 'back')
