"""Torii and OpenIKED (its portable form, as Debian has it) over a real Linux, which it gives its SAs by PF_KEY.

That takes no AES-GCM and no ESN to the kernel, and Linux cuts an HMAC-SHA-256 that comes by PF_KEY to 96 bits instead of RFC 4868's 128,
so that OpenIKED 7.2 on Linux agrees on hmac-sha2-256 with everybody and reaches nobody: these cases have hmac-sha2-512. AH by PF_KEY is
padded to 8 octets over IPv4 too, where RFC 4302 has 4: with hmac-sha1 alone that is the same. Where it begins AH it offers encryption
with it, which Torii refuses. Giving a child new keys it takes the old SAs from its kernel before that has the new ones, and what the kernel
would send meanwhile is lost (its XfrmAcquireError): a ping each time.
"""
import os
import time

import uml
from certificates import Person, ecdsa_key
from cryptography.hazmat.primitives import serialization
from kernel_cases import by_example, connects, new_child_keys, new_ike_keys, stays_out, titled
from kernel_scene import INNER, OUTER, PEERS, SECRET, Daemon, KernelScene, check, example, lacks_peer, torii_connection, wait_for
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
    'ecdsa': (OFFICES + CBC, 'auth = "certificate"; certificate = "tokyo.pem"; key = "tokyo.key";', TUNNEL, CHILD, ''),
    'raw': (OFFICES + CBC, 'auth = "raw_key"; key = "tokyo.key"; peers_key = "newyork.pub";', TUNNEL, CHILD, ''),
    'stranger': (OFFICES + CBC, '', TUNNEL, CHILD, ''),
}
LAST = 'ikev2 "stranger"'  # which it logs when it has read its configuration
PROOF = {'ecdsa': 'rfc7427', 'raw': 'rfc7427', 'stranger': 'psk "another"'}


def policies(active=None):
    """iked.conf, in which iked begins the policy `active` and waits for the others."""
    text = 'set nomobike\nset fragmentation\n' + example('peers', 'iked.conf')
    text = text.replace('passive', 'active') if active in Daemon.example else text
    for name, (_, _, traffic, child, more) in WAYS.items():
        text += f"""ikev2 "{name}" {'active' if name == active else 'passive'} {traffic} local {OUTER} peer 20.0.0.1 \\
 {child} srcid newyork.{name} dstid tokyo.{name} {more} {PROOF.get(name, f'psk {SECRET}')}
"""
    return text


class OpenIked(Daemon):
    name = 'OpenIKED'

    def __init__(self):
        self.credentials, self.active = {}, None

    def cargo(self):
        files = {f'/usr/sbin/{name}': f'{ROOT}/usr/sbin/{name}' for name in ('iked', 'ikectl')}
        return uml.Cargo('openiked', {**files, LEGACY: LEGACY}, MODULES, ROOT)

    def files(self):
        return {'/etc/passwd': 'root:x:0:0:root:/:/bin/sh\n_iked:x:100:100:iked:/var/empty:/bin/false\n', '/etc/group': 'root:x:0:\n_iked:x:100:\n',
                '/etc/nsswitch.conf': 'passwd: files\ngroup: files\n', '/etc/iked.conf': policies(), **self.credentials}

    def start(self):
        self.guest.check('mkdir -p /var/empty /var/run /etc/iked/ca /etc/iked/certs /etc/iked/crls /etc/iked/pubkeys; '
                         f'chmod -R a+rX /etc/iked/ca /etc/iked/certs /etc/iked/pubkeys /var/empty; chmod 755 / /etc /etc/iked; iked -dv >{self.log} 2>&1 &')
        self.settled(0)

    def settled(self, seen):
        """Until it has read its configuration, and each of its processes has its part: what is half open before ends with that."""
        wait_for(lambda: self.told(LAST, seen) > 0 and self.guest.run('ikectl show sa')[0] == 0, lambda: f'iked does not read it: {self.said()}', 15)
        time.sleep(0.5)

    def reload(self, active):
        """It begins by being told so in its configuration alone."""
        if active == self.active:
            return
        seen = self.told(LAST)
        self.guest.write('/etc/iked.conf', policies(active))
        self.guest.check('ikectl reload')
        self.settled(seen)
        self.active = active

    def up(self, connection):
        self.reload(connection)

    def finish(self):
        self.reload(None)

    try_up = up

    def give_up(self, connection):
        self.finish()
        self.guest.check('ikectl reset sa')


class Iked(KernelScene):
    def __init__(self):
        super().__init__(OpenIked(), [torii_connection(name, child, settings) for name, (child, settings, *_) in WAYS.items()],
                         'authorities = ["ca.pem"];')

    def prepare(self):
        ca = Person('Torii ECDSA authority', ecdsa_key(), authority=True)
        tokyo, newyork = (Person(f'{city}.ecdsa', ecdsa_key(), ca) for city in ('tokyo', 'newyork'))
        self.write('ca.pem', ca.pem())
        self.write('tokyo.pem', tokyo.pem())
        self.write('tokyo.key', tokyo.key_pem())
        self.write('newyork.pub', newyork.public_pem())
        self.daemon.credentials = {'/etc/iked/ca/ca.crt': ca.pem(), '/etc/iked/certs/newyork.ecdsa.crt': newyork.pem(),
                                   '/etc/iked/private/local.key': traditional(newyork.key), '/etc/iked/local.pub': newyork.public_pem(),
                                   '/etc/iked/pubkeys/fqdn/tokyo.raw': tokyo.public_pem()}


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
