"""Torii and OpenIKED (its portable form, as Debian has it) over a real Linux, which it gives its SAs by PF_KEY.

That takes no AES-GCM and no ESN to the kernel, and Linux cuts an HMAC-SHA-256 that comes by PF_KEY to 96 bits instead of RFC 4868's 128,
so that OpenIKED 7.2 on Linux agrees on hmac-sha2-256 with everybody and reaches nobody: these cases have hmac-sha2-512. AH by PF_KEY is
padded to 8 octets over IPv4 too, where RFC 4302 has 4: with hmac-sha1 alone that is the same. Where it begins AH it offers encryption
with it, which Torii refuses. Giving a child new keys it takes the old SAs from its kernel before that has the new ones, and what the kernel
would send meanwhile is lost (its XfrmAcquireError): a ping each time. An SA that comes by PF_KEY over IPv6 is for IPv6 alone, so that there
is no tunnel for IPv4 over IPv6.
"""
import os
import time

import uml
from certificates import Person, ecdsa_key
from cryptography.hazmat.primitives import serialization
from kernel_cases import behind_nat, by_example, connects, dies, new_child_keys, new_ike_keys, stays_out, titled
from kernel_scene import BEHIND_NAT, INNER, OUTER, OUTER6, PEERS, SECRET, Daemon, KernelScene, check, example, lacks_peer, torii_connection, wait_for
from places import Wrong

ROOT = os.path.join(PEERS, 'openiked')
LEGACY = '/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so'  # OpenSSL's, without which iked does not start
MODULES = ['af_key', 'sha256_generic', 'cbc', 'authenc']
OFFICES = 'local = ["10.0.1.0/24"]; remote = ["10.0.2.0/24"];'
CBC = 'proposals = ["aes128-sha512"];'
TUNNEL = 'esp from 10.0.2.0/24 to 10.0.1.0/24'
CHILD = 'childsa auth hmac-sha2-512 enc aes-128'
# connection: toriid's child, and its further settings; OpenIKED's mode and traffic, its child's proposal, the rest
WAYS = {
    'esp': (f'{OFFICES} proposals = ["aes128-sha512-x25519"];', '', TUNNEL, f'{CHILD} group curve25519', ''),
    'host': (f'mode = "transport"; {CBC}', '', f'transport esp from {OUTER} to 20.0.0.1', CHILD, ''),
    'ah': (f'{OFFICES} protocol = "ah"; proposals = ["sha1"];', '', 'ah from 10.0.2.0/24 to 10.0.1.0/24', 'childsa auth hmac-sha1', ''),
    'short': (OFFICES + CBC, '', TUNNEL, CHILD, 'lifetime 3'),
    'brief': (OFFICES + CBC, '', TUNNEL, CHILD, 'ikelifetime 3'),
    'ecdsa': (OFFICES + CBC, 'auth = "certificate"; certificate = "ecdsa.pem"; key = "tokyo.key";', TUNNEL, CHILD, ''),
    'raw': (OFFICES + CBC, 'auth = "raw_key"; key = "tokyo.key"; peers_key = "newyork.pub";', TUNNEL, CHILD, ''),
    'stranger': (OFFICES + CBC, '', TUNNEL, CHILD, ''),
    'nat': (OFFICES + CBC, '', TUNNEL, CHILD, 'ikelifetime 4'),
    'nat-host': (f'mode = "transport"; {CBC}', '', f'transport esp from {BEHIND_NAT} to 20.0.0.1', CHILD, ''),
    'six': (f'mode = "transport"; {CBC}', '', f'transport esp from {OUTER6} to 2001:db8::1', CHILD, ''),
    'wide': (OFFICES + CBC, '', 'esp from 10.0.0.0/8 to 10.0.0.0/8', CHILD, ''),
    'renamed': (OFFICES + CBC, '', TUNNEL, CHILD, ''),
    'late': (OFFICES + CBC, 'auth = "certificate"; certificate = "late.pem"; key = "tokyo.key";', TUNNEL, CHILD, ''),
    'stale': (OFFICES + CBC, 'auth = "certificate"; certificate = "stale.pem"; key = "tokyo.key";', TUNNEL, CHILD, ''),
}
ENDS = {'nat': ('20.0.0.1', None), 'nat-host': ('20.0.0.1', None), 'six': ('2001:db8::1', OUTER6)}
LATER = 'nat', 'nat-host', 'six', 'wide', 'renamed', 'late', 'stale'  # in a second file: iked takes its time for each of its policies
CONFS = {False: '/etc/iked.conf', True: '/etc/iked.later.conf'}
LAST = 'ikev2 "tokyo"'  # which it logs when it has read its configuration
PROOF = {**dict.fromkeys(('ecdsa', 'raw', 'late', 'stale'), 'rfc7427'), 'stranger': 'psk "another"'}


def policies(later):
    """One of the two files, in which iked waits for everybody."""
    text = 'set nomobike\nset fragmentation\n'
    for name, (_, _, traffic, child, more) in WAYS.items():
        if (name in LATER) != later:
            continue
        there, here = ENDS.get(name, ('20.0.0.1', OUTER))
        text += f"""ikev2 "{name}" passive {traffic} local {here or BEHIND_NAT} peer {there} \\
 {child} srcid newyork.{'nobody' if name == 'renamed' else name} dstid tokyo.{name} {more} {PROOF.get(name, f'psk {SECRET}')}
"""
    return text + example('peers', 'iked.conf')


class OpenIked(Daemon):
    name = 'OpenIKED'

    def __init__(self):
        self.credentials, self.active, self.later = {}, None, False

    def cargo(self):
        files = {f'/usr/sbin/{name}': f'{ROOT}/usr/sbin/{name}' for name in ('iked', 'ikectl')}
        return uml.Cargo('openiked', {**files, LEGACY: LEGACY}, MODULES, ROOT)

    def files(self):
        return {'/etc/passwd': 'root:x:0:0:root:/:/bin/sh\n_iked:x:100:100:iked:/var/empty:/bin/false\n', '/etc/group': 'root:x:0:\n_iked:x:100:\n',
                '/etc/nsswitch.conf': 'passwd: files\ngroup: files\n', **{file: policies(later) for later, file in CONFS.items()},
                **self.credentials}

    def start(self):
        self.guest.check('mkdir -p /var/empty /var/run /etc/iked/ca /etc/iked/certs /etc/iked/crls /etc/iked/pubkeys; '
                         f'chmod -R a+rX /etc/iked/ca /etc/iked/certs /etc/iked/pubkeys /var/empty; chmod 755 / /etc /etc/iked; '
                         f'iked -dv -f {CONFS[self.later]} >{self.log} 2>&1 &')
        self.settled(0)

    def kill(self):
        self.guest.run('kill -9 $(pidof iked)')  # one of its processes may end with the other

    def restart(self):
        self.guest.check(self.begins(None))
        self.start()

    def settled(self, seen):
        """Until it has read its configuration, and each of its processes has its part: what is half open before ends with that."""
        wait_for(lambda: self.told(LAST, seen) > 0 and self.guest.run('ikectl show sa')[0] == 0, lambda: f'iked does not read it: {self.said()}', 15)
        time.sleep(0.5)

    def begins(self, active):
        """A command that has it begin that, once it has read its configuration again: it can be told so in no other way."""
        self.active, name = active, f'ikev2 "{self.example.get(active, active)}"'
        return f"sed -i 's/^\\(ikev2 \"[^\"]*\"\\) active/\\1 passive/; s/^{name} passive/{name} active/' {CONFS[self.later]}"

    def reload(self, active, later):
        if (active, later) == (self.active, self.later):
            return
        seen, self.later = self.told(LAST), later
        self.guest.check(f'{self.begins(active)}; ikectl load {CONFS[later]}')
        self.settled(seen)

    def choose(self, connection):
        self.reload(None, connection in LATER)

    def up(self, connection):
        self.reload(connection, connection in LATER)

    def finish(self):
        self.reload(None, self.later)

    def rekey_ike(self, connection):
        """It does so by age alone: ikelifetime."""

    try_up = up

    def give_up(self, connection):
        self.finish()
        self.guest.check('ikectl reset sa')


def torii_connections():
    for name, (child, settings, *_) in WAYS.items():
        yield torii_connection(name, child, settings, *ENDS.get(name, ()))


class Iked(KernelScene):
    def __init__(self):
        super().__init__(OpenIked(), list(torii_connections()), 'authorities = ["ca.pem"];')

    def prepare(self):
        ca = Person('Torii ECDSA authority', ecdsa_key(), authority=True)
        ours, theirs = ecdsa_key(), ecdsa_key()
        self.write('ca.pem', ca.pem())
        self.write('tokyo.key', Person('tokyo.raw', ours).key_pem())
        self.write('newyork.pub', Person('newyork.raw', theirs).public_pem())
        for name in ('ecdsa', 'late', 'stale'):
            self.write(f'{name}.pem', Person(f'tokyo.{name}', ours, ca, expired=name == 'stale').pem())
        self.daemon.credentials = {'/etc/iked/ca/ca.crt': ca.pem(), '/etc/iked/private/local.key': traditional(theirs),
                                   '/etc/iked/local.pub': Person('newyork.raw', theirs).public_pem(),
                                   '/etc/iked/pubkeys/fqdn/tokyo.raw': Person('tokyo.raw', ours).public_pem(),
                                   **{f'/etc/iked/certs/newyork.{name}.crt': Person(f'newyork.{name}', theirs, ca, expired=name == 'late').pem()
                                      for name in ('ecdsa', 'late', 'stale')}}


def traditional(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()).decode()


def missing():
    return lacks_peer('openiked')


def gives_child_keys(scene):
    """OpenIKED rekeys what has become nine tenths of three seconds old."""
    scene.end()
    _, before = scene.begin('short', 'torii')
    with scene.flood('office', INNER, count=500, interval=0.01, lost_max=3):  # it does that more than once
        scene.wait_until_others(before, 4)
    check(scene.children(), f'there is no child: {scene.both()}')


def gives_ike_keys(scene):
    scene.end()
    before, pair = scene.begin('brief', 'torii')
    with scene.flood('office', INNER, count=500, interval=0.01):
        wait_for(lambda: (now := scene.torii.ike()) and all(sa['number'] != before['number'] for sa in now),
                 lambda: f'no new IKE SA: {scene.both()}', 4)
    check([now['inbound_spi'] for now in scene.children()] == [pair['inbound_spi']], f'the child did not move: {scene.both()}')


def cases(scene):
    case = titled('OpenIKED', scene)
    host = {'mode': 'transport'}
    for side, name in (('torii', 'Torii'), ('guest', 'OpenIKED')):
        yield case(f'{name} begins, and the ESP tunnel carries pings of any size (RFC 7296 1.2)', connects, 'esp', side, suite='aes128-sha512')
        yield case(f'{name} begins ESP in transport mode (RFC 7296 1.3.1)', connects, 'host', side, **host)
        yield case(f'{name} begins by a certificate of ECDSA (RFC 7427)', connects, 'ecdsa', side)
    yield case('the peer\'s file of the office VPN and tokyo.conf bring up the tunnel, whoever begins', by_example)
    yield case('Torii begins by raw keys of ECDSA', connects, 'raw', 'torii')
    yield case('Torii begins an AH tunnel', connects, 'ah', 'torii', 51)
    yield case('Torii gives the child new keys in a flood of pings, and OpenIKED loses one at most (RFC 7296 2.8)', new_child_keys, 'esp', 'torii',
               lost_max=1)
    yield case('Torii gives the IKE SA new keys, and no ping is lost (RFC 7296 2.18)', new_ike_keys, 'esp', 'torii')
    yield case('OpenIKED gives the child new keys in a flood of pings, and loses one each time (RFC 7296 2.8)', gives_child_keys)
    yield case('OpenIKED gives the IKE SA new keys, and no ping is lost (RFC 7296 2.18)', gives_ike_keys)
    yield case('with another pre-shared key on each side there is no SA, whoever begins, and both are told', stays_out, 'stranger',
               {'torii': 'AUTHENTICATION_FAILED', 'guest': 'the pre-shared keys differ'},
               {'torii': 'authentication failed for', 'guest': 'authentication failed notification from peer'})
    yield case('iked is killed, Torii notices, and connects anew when it is back (RFC 7296 2.4)', dies, 'esp')
    yield case('OpenIKED behind a NAT begins an ESP tunnel, child and IKE SA get new keys, and it is found at the NAT\'s next port (RFC 7296 2.23)',
               behind_nat, 'nat', 'tunnel', loses=1)
    yield case('OpenIKED behind a NAT begins transport mode, and TCP passes (RFC 7296 2.23.1)', behind_nat, 'nat-host', 'transport')
    for side, name in (('torii', 'Torii'), ('guest', 'OpenIKED')):
        yield case(f'{name} begins ESP in transport mode over IPv6', connects, 'six', side, target=OUTER6, back='2001:db8::1', **host)
    yield case('OpenIKED answers with more traffic than it was asked for, and Torii takes none of it (RFC 7296 2.9)', stays_out, 'wide',
               {'torii': 'the peer answers 10.0.0.0/8 === 10.0.0.0/8 where we asked for 10.0.1.0/24 === 10.0.2.0/24'}, {'torii': 'deleted 1 SPI'})
    yield case('OpenIKED with an identity that Torii does not expect gets no SA, whoever begins, and both are told', stays_out, 'renamed',
               {'torii': 'the peer refuses us as tokyo.renamed: AUTHENTICATION_FAILED', 'guest': 'is for newyork.nobody who asks for tokyo.renamed'},
               {'torii': 'no compatible policy found', 'guest': 'authentication failed notification from peer'})
    yield case('where OpenIKED\'s certificate has expired there is no SA, whoever begins, and both are told (RFC 5280 4.1.2.5)', stays_out, 'late',
               dict.fromkeys(('torii', 'guest'), 'has expired on'),
               {'torii': 'sa_free: received delete', 'guest': 'authentication failed notification from peer'})
    yield case('where Torii\'s certificate has expired there is no SA, whoever begins, and both are told (RFC 5280 4.1.2.5)', stays_out, 'stale',
               {'torii': 'AUTHENTICATION_FAILED', 'guest': 'the peer does not believe that we are tokyo.stale: AUTHENTICATION_FAILED'},
               dict.fromkeys(('torii', 'guest'), 'peer certificate is invalid'))
