"""strongSwan's charon as a process in a network namespace, with its files in a folder of the suite's own, and the swanctl that
speaks to it. Its ESP is its own too (kernel-libipsec, in UDP, through a TUN device): the kernel needs no XFRM.
"""
import os
import re
import subprocess
import time

from places import Wrong

CHARON, SWANCTL, PLUGINS = '/usr/lib/ipsec/charon', '/usr/sbin/swanctl', '/usr/lib/ipsec/plugins'
LOADED = ('random nonce openssl aes sha1 sha2 hmac kdf gcm pem pkcs1 pkcs8 pubkey x509 constraints '
          'kernel-libipsec kernel-netlink socket-default vici updown')
# ML-KEM, which strongSwan has since 6.0, and the hash that it is made of
LOADED += ''.join(f' {name}' for name in ('sha3', 'ml') if os.path.exists(f'{PLUGINS}/libstrongswan-{name}.so'))
STRONGSWAN_CONF = """
charon {
  load = %(load)s
  retransmit_timeout = 0.5
  retransmit_tries = 3
  retransmit_base = 1.5
  delete_rekeyed_delay = 1
  fragment_size = 1280
  plugins {
    vici { socket = unix://%(folder)s/vici }
  }
  filelog {
    all { path = %(folder)s/charon.log
          default = 1
          flush_line = yes }
  }
}
swanctl { load = pem pkcs1 pkcs8 pubkey x509 openssl random }
"""


def missing():
    """Why strongSwan cannot run here, in words; None if it can."""
    for file in (CHARON, SWANCTL, f'{PLUGINS}/libstrongswan-kernel-libipsec.so', f'{PLUGINS}/libstrongswan-openssl.so'):
        if not os.path.exists(file):
            return f'there is no {os.path.basename(file)}: Debian has it in strongswan-charon, strongswan-swanctl, ' \
                   'libcharon-extra-plugins and libstrongswan-standard-plugins'
    if not os.path.exists('/dev/net/tun'):
        return 'there is no /dev/net/tun'
    return None


class StrongSwan:
    """A charon in `place`, with everything it reads and writes in `folder`, an empty one. It starts at once."""

    def __init__(self, network, place, folder):
        self.network, self.place, self.folder = network, place, folder
        for name in ('x509', 'x509ca', 'private', 'run'):
            os.mkdir(os.path.join(folder, name), 0o700)
        self.write('strongswan.conf', STRONGSWAN_CONF % {'load': LOADED, 'folder': folder})
        self.environment = {**os.environ, 'STRONGSWAN_CONF': f'{folder}/strongswan.conf', 'SWANCTL_DIR': folder}
        # charon.pid stands in /run for everybody: this charon has a /run of its own (ip netns exec made a mount namespace).
        script = f'mount --bind {folder}/run /run && exec {CHARON}'
        with open(f'{folder}/charon.out', 'wb') as log:
            self.process = subprocess.Popen(['ip', 'netns', 'exec', network.name(place), 'sh', '-c', script], env=self.environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), 'w', encoding='ascii', opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(text)

    def wait_until_ready(self, seconds=10):
        end = time.monotonic() + seconds
        while not os.path.exists(f'{self.folder}/vici') or self.ask('--stats').returncode:
            if self.process.poll() is not None or time.monotonic() > end:
                raise Wrong(f'charon was not ready after {seconds} s: {self.said()[-400:]}')
            time.sleep(0.05)

    def said(self):
        """The log of charon, so far."""
        try:
            with open(f'{self.folder}/charon.log', encoding='utf-8', errors='replace') as log:
                return log.read()
        except FileNotFoundError:
            return ''

    def ask(self, *words, seconds=20):
        """What swanctl did: its status and output, good or not."""
        return subprocess.run([SWANCTL, *words, '--uri', f'unix://{self.folder}/vici'], env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)

    def swanctl(self, *words, **options):
        """What swanctl prints; it must succeed."""
        done = self.ask(*words, **options)
        if done.returncode:
            raise Wrong(f'swanctl {" ".join(words)}: {(done.stdout + done.stderr)[-300:]}')
        return done.stdout

    def load(self, text):
        """Has charon take these connections and secrets in place of those it has."""
        self.write('swanctl.conf', text)
        self.swanctl('--load-all', '--clear', '--file', f'{self.folder}/swanctl.conf')

    def sas(self):
        """charon's IKE SAs: dictionaries of --list-sas, each with its children as a list under 'children'."""
        out = []
        for line in self.swanctl('--list-sas', '--raw').splitlines():
            if not line.startswith('list-sa event '):
                continue
            tree = parse_raw(line.removeprefix('list-sa event '))
            for name, sa in tree.items():
                sa.update(connection=name, children=list(sa.pop('child-sas', {}).values()))
                out.append(sa)
        return out

    def kill(self):
        """Ends charon as a power cut would: it says nothing to anybody."""
        self.process.kill()
        self.process.wait()

    def close(self):
        """Ends charon, politely at first. Does nothing the second time."""
        if self.process.returncode is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()


def parse_raw(text):
    """swanctl's --raw form as dictionaries and lists: `{name {key=value list=[a b]}}`."""
    words = re.findall(r'[{}]|[^\s{}=]+=\[[^\]]*\]|[^\s{}]+', text)
    stack, name = [{}], ''
    for word in words:
        if word == '{':
            stack[-1][name] = {}
            stack.append(stack[-1][name])
        elif word == '}':
            stack.pop()
        elif word.endswith(']'):
            key, _, value = word.partition('=[')
            stack[-1][key] = value[:-1].split()
        elif '=' in word:
            key, _, value = word.partition('=')
            stack[-1][key] = value.strip()
        else:
            name = word
    return stack[0].get('', stack[0])
