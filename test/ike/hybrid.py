"""Torii and strongSwan with several key exchanges, one after the other (RFC 9370, RFC 9242): strongSwan has them since 6.0 and ML-KEM by
OpenSSL since 6.0.2, neither of which is in Debian 12. test/ike/trixie runs them in Debian 13. Both offices and both daemons are interop.py's."""
import os
import re
import subprocess

from interop import MORE, Pair
from scene import Swan, check, wait_for
from strongswan import CHARON, PLUGINS

SECRET = 'one secret of both'
IKE = {'classic': 'aes256gcm16-prfsha384-x25519-ke1_ecp384-ke2_modp2048', 'mlkem': 'aes256gcm16-prfsha384-x25519-ke1_mlkem768'}
FOLLOW_UPS = {'classic': 6, 'mlkem': 4}  # of both ends' rekeys of both SAs: a method behind the first is an exchange
ESP = {'classic': 'aes256gcm16-x25519-ke1_ecp384', 'mlkem': 'aes256gcm16-x25519-ke1_mlkem768'}


def lacks(*wanted):
    """Why that cannot be looked at here, in words; None if it can."""
    version = subprocess.run([CHARON, '--version'], capture_output=True, text=True, check=False).stdout
    found = re.search(r'strongSwan (\d+)\.(\d+)\.(\d+)', version)
    if found is None or int(found[1]) < 6:
        return f'strongSwan takes one key exchange alone before 6.0, and this is {found[0] if found else "of no known version"}'
    if 'mlkem' in wanted and tuple(map(int, found.groups())) < (6, 0, 2) and not os.path.exists(f'{PLUGINS}/libstrongswan-ml.so'):
        return f'{found[0]} here has no plugin for ML-KEM, and takes OpenSSL\'s since 6.0.2'
    openssl = subprocess.run(['openssl', 'version'], capture_output=True, text=True, check=False).stdout
    number = re.search(r'OpenSSL (\d+)\.(\d+)', openssl)
    if 'mlkem' in wanted and (number is None or (int(number[1]), int(number[2])) < (3, 5)):
        return f'ML-KEM needs OpenSSL 3.5, and this is {openssl.strip() or "of no known version"}'
    return None


def names():
    return [name for name in IKE if lacks(name) is None]


def torii_connection(name):
    return f"""{{ name = "{name}"; local = "20.0.0.1"; remote = "20.0.0.2"; local_id = "tokyo.{name}"; remote_id = "newyork.{name}";
        proposals = ["{IKE[name]}"];
        children = ( {{ name = "offices"; local = ["10.0.1.0/24"]; remote = ["10.0.2.0/24"]; proposals = ["{ESP[name]}"]; }} ); }}"""


def swan_connection(name):
    return f"""{name} {{ version = 2
        local_addrs = 20.0.0.2
        remote_addrs = 20.0.0.1
        encap = yes
        proposals = {IKE[name]}
        local {{ auth = psk
                id = newyork.{name} }}
        remote {{ auth = psk
                 id = tokyo.{name} }}
        children {{ offices {{ local_ts = 10.0.2.0/24
                              remote_ts = 10.0.1.0/24
                              esp_proposals = {ESP[name]} }} }} }}"""


class Hybrid(Pair):
    """Both daemons with these connections, and shared keys alone."""

    def __init__(self):
        Swan.__init__(self, ', '.join(map(torii_connection, names())), MORE.replace('authorities = ["ca.pem"];', ''))

    def prepare(self):
        self.write('psk.txt', f'20.0.0.2 {SECRET}\n')

    def start_swan(self):
        Swan.start_swan(self)
        connections = '\n'.join(map(swan_connection, names()))
        self.swan.load(f"""connections {{ {connections} }}
            secrets {{ ike-1 {{ secret = "{SECRET}" }} }}""")


def goes_through(scene, name, side):
    """They agree, packets pass, and each end rekeys both: by IKE_FOLLOWUP_KE, which charon's log shows."""
    scene.end()
    ike, _ = scene.begin(name, side)
    check(IKE[name].split('-', 2)[2] in str(ike), f'another suite was agreed on: {ike}')
    scene.both_ways()
    log = len(scene.swan.said())
    scene.torii.torii('ike', 'rekey', name)
    wait_for(lambda: ike['number'] not in [sa['number'] for sa in scene.torii.ike()], lambda: f'no new IKE SA: {scene.both()}')
    scene.torii.torii('ike', 'rekey', f'{name}/offices')
    wait_for(lambda: scene.agreed(name), lambda: f'no agreement afterwards: {scene.both()}')
    scene.both_ways()
    scene.swan.swanctl('--rekey', '--child', 'offices')
    scene.swan.swanctl('--rekey', '--ike', name)
    wait_for(lambda: scene.agreed(name), lambda: f'no agreement after strongSwan\'s rekeys: {scene.both()}')
    scene.both_ways()

    def answered():
        return len(re.findall(r'IKE_FOLLOWUP_KE response \d+ \[ KE', scene.swan.said()[log:]))

    wait_for(lambda: answered() == FOLLOW_UPS[name], lambda: f'{answered()} of them were answered: {scene.swan.said()[log:][-900:]}')


def cases(scene):
    """The cases as (title, body); a body of words is why it cannot be looked at."""
    for name, what in (('classic', 'ecp384 and modp2048 behind x25519'), ('mlkem', 'ML-KEM-768 behind x25519')):
        for side, who in (('torii', 'Torii'), ('swan', 'strongSwan')):
            why = lacks(name)
            yield (f'{who} begins with {what}, and both ends rekey both with them (RFC 9370)',
                   why or (lambda name=name, side=side: goes_through(scene, name, side)))
