"""Torii and libreswan, whose pluto has the XFRM of a real Linux: a program of Debian's that scripts/peers.sh puts into build/peers."""
import contextlib
import os
import subprocess
import tempfile

import uml
from certificates import Person, ecdsa_key, rsa_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from kernel_cases import (behind_nat, by_example, comes_back, compresses, connects, dies, moves, narrows, new_child_keys, new_ike_keys, stays_out, titled,
                          traps, with_esn)
from kernel_scene import BEHIND_NAT, INNER, OUTER, OUTER6, PEERS, SECRET, Daemon, KernelScene, example, lacks_peer, torii_connection
from places import Wrong

ROOT = os.path.join(PEERS, 'libreswan')
PROGRAMS = '/usr/libexec/ipsec/'
LIBRARIES = '/usr/lib/x86_64-linux-gnu/'
NSS = '/var/lib/ipsec/nss'
LOADED_BY_NSS = ['libsoftokn3.so', 'libfreebl3.so', 'libfreeblpriv3.so', 'libsqlite3.so.0', 'libnssckbi.so']
MODULES = ['sha256_generic', 'chacha20poly1305']
OFFICES = 'local = ["10.0.1.0/24"]; remote = ["10.0.2.0/24"];'
SUBNETS = 'leftsubnet=10.0.2.0/24\n rightsubnet=10.0.1.0/24\n'
GCM, SWAN_GCM = 'proposals = ["aes128gcm16"];', 'esp=aes_gcm128\n pfs=no\n'
# connection: toriid's child, and its further settings; libreswan's
WAYS = {
    'esp': (f'{OFFICES} proposals = ["aes256gcm16-modp2048"];', '', f'{SUBNETS} esp=aes_gcm256-null;modp2048\n'),
    'esn': (f'{OFFICES} proposals = ["aes128-sha256-esn"];', '', f'{SUBNETS} esp=aes128-sha2_256\n esn=yes\n'),
    'comp': (f'{OFFICES} ipcomp = true; proposals = ["aes128gcm16"];', '', f'{SUBNETS} esp=aes_gcm128\n compress=yes\n'),
    'ah': (f'{OFFICES} protocol = "ah"; proposals = ["sha256"];', '', f'{SUBNETS} phase2=ah\n ah=sha2_256\n'),
    'host': ('mode = "transport"; proposals = ["aes128gcm16"];', '', 'type=transport\n esp=aes_gcm128\n pfs=no\n'),
    'host-ah': ('mode = "transport"; protocol = "ah"; proposals = ["sha512"];', '', 'type=transport\n phase2=ah\n ah=sha2_512\n'),
    'rsa': (OFFICES, 'auth = "certificate"; certificate = "rsa.pem"; key = "rsa.key";', SUBNETS),
    'ecdsa': (OFFICES, 'auth = "certificate"; certificate = "ecdsa.pem"; key = "ecdsa.key";', SUBNETS),
    'stranger': (OFFICES, '', SUBNETS),
    'nat': (f'{OFFICES} proposals = ["aes128gcm16-modp2048"];', '', f'{SUBNETS} esp=aes_gcm128-null;modp2048\n'),
    'nat-host': (f'mode = "transport"; {GCM}', '', f'type=transport\n {SWAN_GCM}'),
    'six': (OFFICES + GCM, '', f'{SUBNETS} {SWAN_GCM}'),
    'wide': (OFFICES + GCM, '', f'leftsubnet=10.0.0.0/8\n rightsubnet=10.0.0.0/8\n narrowing=yes\n {SWAN_GCM}'),
    'trap': (OFFICES + GCM, '', f'{SUBNETS} {SWAN_GCM}'),
    'back': (OFFICES + GCM, 'dpd_seconds = 60;', f'{SUBNETS} initial-contact=yes\n {SWAN_GCM}'),
    'roams': ('local = ["10.0.1.0/24"]; ' + GCM, 'mobike = true; pool = ["10.0.2.5/32"];',
              f'leftsubnet=0.0.0.0/0\n leftmodecfgclient=yes\n modecfgpull=yes\n rightsubnet=10.0.1.0/24\n narrowing=yes\n mobike=yes\n {SWAN_GCM}'),
    'renamed': (OFFICES, '', SUBNETS),
    'stale': (OFFICES, 'auth = "certificate"; certificate = "stale.pem"; key = "stale.key";', SUBNETS),
}
ENDS = {'six': ('2001:db8::1', OUTER6), 'nat': ('20.0.0.1', None), 'nat-host': ('20.0.0.1', None)}
KINDS = {'rsa': 'rsa', 'ecdsa': 'ecdsa', 'stale': 'rsa'}  # of those with certificates


def torii_connections():
    for name, (child, settings, _) in WAYS.items():
        yield torii_connection(name, child, settings, *ENDS.get(name, ()))


def libreswan_connection(name):
    proof = 'authby=secret'
    if kind := KINDS.get(name):
        proof = f'authby={kind}-sha2\n leftcert={name}\n rightca=%same\n leftsendcert=always'
    there, here = ENDS.get(name, ('20.0.0.1', OUTER))
    return f"""conn {name}
 also=all
 left={here or BEHIND_NAT}
 right={there}
 leftid=@newyork.{'nobody' if name == 'renamed' else name}
 rightid=@tokyo.{name}
 {proof}
 {WAYS[name][2]}
"""


CONF = f"""config setup
 logfile={Daemon.log}
 logtime=no
 dnssec-enable=no
 nssdir={NSS}

conn all
 ikev2=insist
 leftupdown=%disabled
 retransmit-interval=300ms
 retransmit-timeout=4s
 auto=ignore

"""


def without_scripts(conf):
    """The users' file for a guest that has no room for libreswan's scripts, which would set routes; and the cases say who begins."""
    return conf.replace('auto=ondemand', 'auto=ignore\n    leftupdown=%disabled')


class Libreswan(Daemon):
    name = 'libreswan'

    def __init__(self):
        self.store, self.chosen = {}, None

    def cargo(self):
        files = {PROGRAMS + name: ROOT + PROGRAMS + name for name in ('pluto', 'whack', 'addconn')}
        for name in LOADED_BY_NSS:
            files[LIBRARIES + name] = next(root + LIBRARIES + name for root in (ROOT, '') if os.path.exists(root + LIBRARIES + name))
        return uml.Cargo('libreswan', files, MODULES, ROOT)

    def files(self):
        secrets = f': PSK {SECRET}\n@newyork.stranger @tokyo.stranger : PSK "another"\n'
        return {'/etc/ipsec.conf': CONF + '\n'.join(map(libreswan_connection, WAYS)) + without_scripts(example('peers', 'ipsec.conf')),
                '/etc/ipsec.secrets': example('peers', 'ipsec.secrets') + secrets,
                '/etc/ipsec.d/empty': '', '/run/pluto/empty': '', **self.store}

    def start(self):
        self.guest.check(f'{PROGRAMS}pluto --config /etc/ipsec.conf >/tmp/pluto.out 2>&1', 20)
        self.guest.check(f'n=0; until {PROGRAMS}whack --status >/dev/null 2>&1; do [ $n = 60 ] && exit 1; n=$((n+1)); usleep 100000; done', 30)
        self.whack('--listen')
        self.chosen = None

    def kill(self):
        self.guest.check('kill -9 $(cat /run/pluto/pluto.pid)')

    def restart(self):
        """As its unit of systemd would: what the other one has left goes first."""
        self.guest.check('rm /run/pluto/pluto.pid; ip xfrm policy flush; ip xfrm state flush')
        self.start()

    def choose(self, connection):
        """One at a time: for a child whose traffic another connection has had pluto has no room ("cannot install eroute")."""
        self.finish()
        self.chosen = self.example.get(connection, connection)
        self.guest.check(f'{PROGRAMS}addconn --config /etc/ipsec.conf {self.chosen}')

    def finish(self):
        """A connection that it has begun pluto would begin again."""
        if self.chosen:
            self.whack(f'--name {self.chosen} --delete')
        self.chosen = None

    def whack(self, words, seconds=20):
        status, said = self.guest.run(f'{PROGRAMS}whack {words}', seconds)
        if status:
            raise Wrong(f'whack {words}: {status} {said[-400:]}')
        return said

    def up(self, connection):
        self.whack(f'--name {self.example.get(connection, connection)} --initiate')

    def try_up(self, connection):
        self.guest.check(f'{PROGRAMS}whack --name {connection} --initiate --asynchronous')

    def give_up(self, connection):
        self.guest.run(f'{PROGRAMS}whack --name {connection} --terminate')

    @contextlib.contextmanager
    def trap(self, connection):
        self.choose(connection)
        self.whack(f'--route --name {connection}')
        yield

    def rekey_child(self, connection):
        self.whack(f'--rekey-ipsec --name {connection}')

    def rekey_ike(self, connection):
        self.whack(f'--rekey-ike --name {connection}')


class Libre(KernelScene):
    def __init__(self):
        super().__init__(Libreswan(), list(torii_connections()), 'authorities = ["ca.pem"];')

    def prepare(self):
        """Certificates for both sides; the peer's in a store of NSS."""
        store = tempfile.mkdtemp(dir=self.folder)
        nss(['certutil', '-N', '--empty-password', '-d', f'sql:{store}'])
        kinds = {'rsa': rsa_key, 'ecdsa': ecdsa_key}
        authorities = {kind: Person(f'Torii {kind} authority', make(), authority=True) for kind, make in kinds.items()}
        for name, kind in KINDS.items():
            ca = authorities[kind]
            tokyo, newyork = (Person(who, kinds[kind](), ca, expired=who == 'tokyo.stale') for who in (f'tokyo.{name}', f'newyork.{name}'))
            self.write(f'{name}.pem', tokyo.pem())
            self.write(f'{name}.key', tokyo.key_pem())
            bag = pkcs12.serialize_key_and_certificates(name.encode(), newyork.key, newyork.certificate, [ca.certificate],
                                                        BestAvailableEncryption(b'bag'))
            with open(f'{store}/bag', 'wb') as file:
                file.write(bag)
            nss(['pk12util', '-i', f'{store}/bag', '-W', 'bag', '-d', f'sql:{store}'])
        for ca in authorities.values():
            nss(['certutil', '-M', '-n', ca.name, '-t', 'CT,,', '-d', f'sql:{store}'])
        self.write('ca.pem', ''.join(ca.pem() for ca in authorities.values()))
        for name in ('cert9.db', 'key4.db', 'pkcs11.txt'):
            with open(f'{store}/{name}', 'rb') as file:
                octets = file.read()
            self.daemon.store[f'{NSS}/{name}'] = octets.replace(store.encode(), NSS.encode()) if name == 'pkcs11.txt' else octets


def nss(words):
    """One of NSS's own programs, unpacked and not installed."""
    words[0] = f'{ROOT}/usr/bin/{words[0]}'
    done = subprocess.run(words, env={**os.environ, 'LD_LIBRARY_PATH': ROOT + LIBRARIES}, capture_output=True, timeout=30, check=False)
    if done.returncode:
        raise Wrong(f'{" ".join(words)}: {(done.stdout + done.stderr).decode(errors="replace")}')


def missing():
    return lacks_peer('libreswan')


def cases(scene):
    case = titled('libreswan', scene)
    host = {'mode': 'transport'}
    for side, name in (('torii', 'Torii'), ('guest', 'libreswan')):
        yield case(f'{name} begins, and the ESP tunnel carries pings of any size (RFC 7296 1.2)', connects, 'esp', side, suite='aes256gcm16')
        yield case(f'{name} gives the child new keys in a flood of pings, and none is lost (RFC 7296 2.8)', new_child_keys, 'esp', side)
        yield case(f'{name} gives the IKE SA new keys, and no ping is lost (RFC 7296 2.18)', new_ike_keys, 'esp', side)
        yield case(f'{name} begins ESP in transport mode (RFC 7296 1.3.1)', connects, 'host', side, **host)
        yield case(f'{name} begins AH', connects, *(('ah', side, 51) if side == 'torii' else ('host-ah', side, 51, 'transport')))
        yield case(f'{name} begins by a certificate of RSA, with PSS (RFC 7427)', connects, 'rsa', side)
        yield case(f'{name} begins by a certificate of ECDSA (RFC 7427)', connects, 'ecdsa', side)
        yield case(f'{name} begins IPComp in an ESP tunnel, and both compress (RFC 7296 2.22)', compresses, 'comp', side, 'tunnel', INNER, '10.0.1.5')
    yield case('the peer\'s files of the office VPN and tokyo.conf bring up the tunnel, whoever begins', by_example)
    yield case('ESP with ESN, AES-CBC and HMAC-SHA-256', with_esn, 'esn', 'guest')
    yield case('new keys for SAs of transport mode, and no ping is lost', new_child_keys, 'host', 'guest', 'torii', OUTER)
    yield case('with another pre-shared key on each side there is no SA, whoever begins, and both are told', stays_out, 'stranger',
               {'torii': 'AUTHENTICATION_FAILED', 'guest': 'the pre-shared keys differ'},
               {'torii': 'AUTHENTICATION_FAILED', 'guest': 'AUTHENTICATION_FAILED'})
    yield case('libreswan behind a NAT begins an ESP tunnel, child and IKE SA get new keys, and it is found at the NAT\'s next port (RFC 7296 2.23)', behind_nat,
               'nat', 'tunnel')
    yield case('libreswan behind a NAT begins transport mode, and TCP passes (RFC 7296 2.23.1)', behind_nat, 'nat-host', 'transport')
    for side, name in (('torii', 'Torii'), ('guest', 'libreswan')):
        yield case(f'{name} begins an ESP tunnel over IPv6', connects, 'six', side)
        yield case(f'{name} begins, libreswan wants more traffic than Torii, and the kernel gets what is in both (RFC 7296 2.9)', narrows, 'wide', side)
    yield case('a packet of the guest makes its kernel ask libreswan, which begins', traps, 'trap')
    yield case('pluto is killed, Torii notices, and connects anew when it is back (RFC 7296 2.4)', dies, 'esp')
    yield case('pluto is killed and begins anew, and Torii forgets the old SAs at once (RFC 7296 2.4)', comes_back, 'back')
    yield case('libreswan with an identity that Torii does not expect gets no SA, whoever begins', stays_out, 'renamed',
               {'torii': 'we want to speak to newyork.renamed', 'guest': 'is for newyork.nobody who asks for tokyo.renamed'},
               {'torii': 'deleting state (STATE_V2_ESTABLISHED_IKE_SA)', 'guest': 'AUTHENTICATION_FAILED'})
    yield case('where Torii\'s certificate has expired there is no SA, and both are told (RFC 5280 4.1.2.5)', stays_out, 'stale',
               {'torii': 'AUTHENTICATION_FAILED'}, {'torii': 'SEC_ERROR_EXPIRED_CERTIFICATE'})
    yield case('the guest, lent an address, gets another one outside: the SAs go there as they are, after one gap in the pings (RFC 4555)', moves, 'roams')
