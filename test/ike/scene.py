"""Where the cases of the suite `ike` happen: namespaces with a wire between two gateways, one of them a toriid always.

    Swan      office 10.0.1.5 -- torii 20.0.0.1 === wire === 20.0.0.2 charon, with 10.0.2.5 on its loopback
    Offices   office 10.0.1.5 -- tokyo 20.0.0.1 === wire === 20.0.0.2 newyork -- office 10.0.2.5, a toriid each
"""
import contextlib
import json
import os
import re
import subprocess
import tempfile
import time

import strongswan
from places import Network, Wrong
from toriid import Toriid

BUILD = os.environ['TORII_BUILD']


def check(true, why):
    if not true:
        raise Wrong(why)


def wait_for(true, why, seconds=5):
    """Waits until `true()` is, and returns what it is."""
    end = time.monotonic() + seconds
    while not (got := true()):
        check(time.monotonic() < end, why() if callable(why) else why)
        time.sleep(0.05)
    return got


class Gateway(Toriid):
    """A toriid, and what the suite asks it."""

    def ike(self, connection=None):
        """The IKE SAs that there are, of one connection or of all."""
        rows = json.loads(self.torii('show', 'ike', '--json'))
        return [r for r in rows if r['number'] and connection in (None, r['connection'])]

    def children(self, connection=None):
        """The pairs of SAs that there are."""
        rows = json.loads(self.torii('show', 'child', '--json'))
        return [r for r in rows if r['number'] and connection in (None, r['connection'])]

    def ike_log(self):
        return self.torii('show', 'ike-log')

    def kill(self):
        """Ends toriid as a power cut would."""
        self.process.kill()
        self.process.wait()


class Scene:
    """Up and running for the length of a `with`. What __exit__ finds wrong with the end of a toriid it raises."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.folder = self.network = None
        self.gateways = {}

    def __enter__(self):
        with self.stack:
            self.folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix='torii-ike-'))
            self.network = self.stack.enter_context(Network('ike'))
            self.network.add('wire')
            self.network.add_bridge('wire')
            self.build()
            self.stack = self.stack.pop_all()
            return self

    def __exit__(self, *why):
        with self.stack:
            for gateway in self.gateways.values():
                gateway.close()

    def write(self, name, text, mode=0o600):
        with open(os.path.join(self.folder, name), 'w', encoding='ascii') as file:
            file.write(text)
        os.chmod(file.name, mode)
        return file.name

    def start(self, name, text):
        """A toriid in the place of this name, with this configuration; the control socket is moved into the folder."""
        control = os.path.join(self.folder, f'{name}.sock')
        file = self.write(f'{name}.conf', re.sub(r'socket = "[^"]*"', f'socket = "{control}"', text))
        self.gateways[name] = Gateway(self.network, name, BUILD, file, control)
        self.stack.callback(self.gateways[name].process.kill)  # no more than a net: __exit__ ends it properly
        return self.gateways[name]

    def office(self, place, network, other, gateway):
        """One host with .5 in `network`, behind the port office0 of `gateway`."""
        self.network.add(place)
        self.network.cable(place, 'eth0', gateway, 'office0')
        self.network.ip(place, f'addr add {network}.5/24 dev eth0')
        self.network.ip(place, f'route add {other}.0/24 via {network}.1')

    def ping(self, place, target, count=3, interval='0.05', wait='2'):
        """Every ping must be answered, once."""
        done = subprocess.run(['ip', 'netns', 'exec', self.network.name(place), 'ping', '-n', '-q', '-c', str(count), '-i', interval,
                               '-W', wait, target], capture_output=True, text=True, timeout=60, check=False)
        fits = re.search(rf'{count} packets transmitted, {count} received, 0% packet loss', done.stdout)
        check(fits, f'{place} pings {target}: {" ".join(done.stdout.split()[-24:])} {done.stderr}')

    @contextlib.contextmanager
    def flood(self, place, target, count=600, interval='0.003'):
        """What happens inside the `with` happens in the middle of `count` pings, and not one may be lost or come twice."""
        with subprocess.Popen(['ip', 'netns', 'exec', self.network.name(place), 'ping', '-n', '-q', '-c', str(count), '-i', interval,
                               '-W', '2', target], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pings:
            try:
                time.sleep(0.3)
                yield
                check(pings.poll() is None, 'the flood ended before what should happen in it: it proves nothing')
                said = pings.communicate(timeout=30)[0]
            finally:
                pings.kill()
        check(f'{count} packets transmitted, {count} received, 0% packet loss' in said and 'duplicates' not in said,
              f'pings were lost: {" ".join(said.split()[-24:])}')


class Swan(Scene):
    """A toriid `torii` and a charon `swan`."""

    def __init__(self, connections, more=''):
        super().__init__()
        self.connections, self.more = connections, more
        self.swan = self.torii = None

    def build(self):
        self.network.add('torii', 'swan')
        self.network.plug('wire', 'torii', 'wan0')
        self.office('office', '10.0.1', '10.0.2', 'torii')
        self.network.cable('wire', 'swan', 'swan', 'eth0')
        self.network.ip('wire', 'link set swan master wire')
        self.network.inside('swan', 'ethtool', '-K', 'eth0', 'tx', 'off')
        self.network.ip('swan', 'addr add 20.0.0.2/24 dev eth0')
        self.network.ip('swan', 'addr add 10.0.2.5/32 dev lo')
        self.prepare()
        self.torii = self.start('torii', TORII % {'connections': self.connections, 'more': self.more})
        self.start_swan()
        self.torii.wait_until_ready()

    def prepare(self):
        """Files beside the configuration."""

    def start_swan(self):
        folder = tempfile.mkdtemp(dir=self.folder)
        self.swan = strongswan.StrongSwan(self.network, 'swan', folder)
        self.stack.callback(self.swan.close)
        self.swan.wait_until_ready()

    def both(self):
        return f'torii: {self.torii.ike_log()[-700:]} charon: {self.swan.said()[-700:]}'


TORII = """
ports = (
    { name = "office"; role = "protected";   addresses = ["10.0.1.1/24"]; device = "net_af_packet0,iface=office0"; },
    { name = "wan";    role = "unprotected"; addresses = ["20.0.0.1/24"]; device = "net_af_packet1,iface=wan0"; }
);
routes = ( { destination = "10.0.2.0/24"; via = "20.0.0.2"; } );
ipsec = { def_policy = "discard"; };
ike = {
%(more)s
    connections = ( %(connections)s );
};
control = { socket = "/run/torii/torii.sock"; };
"""
