"""Torii and Torii: two offices by configs/office-vpn-ike, as the demo has them, and the FAQ's two hosts by configs/faq/15-ike."""
import os
import re
import shutil
import signal
import struct
import subprocess

from places import WireTap
from scene import BUILD, HOUSE, Scene, check, wait_for

OFFICES = os.path.join(HOUSE, 'configs', 'office-vpn-ike')
FAQ = os.path.join(HOUSE, 'configs', 'faq', '15-ike')
# A second connection, beside the one of the file. Nobody has packets for it: it comes and goes by order.
SECOND = """
        {{ name = "second"; local = "{0}"; remote = "{1}"; local_id = "{2}"; remote_id = "{3}"; dpd_seconds = {4};
          children = ( {{ name = "others"; local = ["{5}"]; remote = ["{6}"]; }} ); }}"""
ENDS = {'tokyo': ('20.0.0.1', '20.0.0.2', 'tokyo.example', 'newyork.example', 30, '10.1.1.0/24', '10.1.2.0/24'),
        'newyork': ('20.0.0.2', '20.0.0.1', 'newyork.example', 'tokyo.example', 30, '10.1.2.0/24', '10.1.1.0/24')}
DEADLINES = 'retransmit_milliseconds = 300; retransmissions = 3;'
SECOND_OF_TOKYO = '20.0.0.11'
SECRET = '0x746f7269692064656d6f206b65792c207075626c697368656420616e64207468757320776f7274686c657373'


def read(*path):
    with open(os.path.join(*path), encoding='ascii') as file:
        return file.read()


def configuration(city, seconds=30):
    """The city's file with a second connection, deadlines short enough for a test, and a key log."""
    text = read(OFFICES, f'{city}.conf')
    ends = [*ENDS[city]]
    ends[4] = seconds
    text = text.replace('connections = (', f'{DEADLINES} key_log = "{city}.keys";\n    connections = (', 1)
    text = text.replace('"20.0.0.1/24"', f'"20.0.0.1/24", "{SECOND_OF_TOKYO}/24"')
    text = re.sub(r'(\{ name = "\w+"; local = "[\d.]+"; remote = "[\d.]+";)', r'\1 dpd_seconds = 1;', text, count=1)
    return text.replace('start = "trap"; } ); }', 'start = "trap"; } ); },' + SECOND.format(*ends), 1)


class Offices(Scene):
    def build(self):
        self.write('psk.txt', read(OFFICES, 'psk.txt') + f'tokyo.example {SECRET}\nnewyork.example {SECRET}\n')
        for city, network, other in (('tokyo', '10.0.1', '10.0.2'), ('newyork', '10.0.2', '10.0.1')):
            self.network.add(city)
            self.network.plug('wire', city, 'wan0')
            self.office(f'office-{city}', network, other, city)
        self.tap = WireTap(self.network, 'wire', 'tokyo')
        self.stack.callback(self.tap.close)
        for city in ENDS:
            self.start(city, configuration(city))
        for gateway in self.gateways.values():
            gateway.wait_until_ready(60)
        self.tokyo, self.newyork = self.gateways['tokyo'], self.gateways['newyork']

    def restart(self, city):
        self.gateways[city].kill()
        self.gateways[city] = self.start(city, configuration(city))
        self.tokyo, self.newyork = self.gateways['tokyo'], self.gateways['newyork']
        self.gateways[city].wait_until_ready(60)

    def one_each(self):
        """The IKE SA between the offices, when there is one and both sides have the same one."""
        ours, theirs = self.tokyo.ike('newyork'), self.newyork.ike('tokyo')
        same = len(ours) == len(theirs) == 1 and ours[0]['state'] == theirs[0]['state'] == 'established' and \
            (ours[0]['initiator_spi'], ours[0]['responder_spi']) == (theirs[0]['initiator_spi'], theirs[0]['responder_spi'])
        return ours[0] if same else None

    def agreed(self, seconds=8):
        return wait_for(self.one_each, lambda: f'they do not agree: {self.tokyo.ike()} {self.newyork.ike()}', seconds)

    def both_ways(self):
        self.ping('office-tokyo', '10.0.2.5')
        self.ping('office-newyork', '10.0.1.5')


def traps(scene):
    check(not scene.tokyo.ike() and not scene.newyork.ike(), 'there are SAs, and nobody needed them')
    scene.ping('office-tokyo', '10.0.2.5', count=1)
    check(scene.agreed()['initiator'], 'the packet came from tokyo, and tokyo should have begun')
    scene.ping('office-newyork', '10.0.1.5')


def obeys(scene):
    first = scene.agreed()
    with scene.flood('office-tokyo', '10.0.2.5', interval=0.015):  # a reauthenticated IKE SA stays 5 s
        scene.tokyo.torii('ike', 'rekey', 'newyork/offices')
        scene.newyork.torii('ike', 'rekey', 'tokyo')
        second = wait_for(lambda: (now := scene.one_each()) and now['number'] != first['number'] and now, 'no new IKE SA', 4)
        check(not second['initiator'], 'newyork rekeyed, and is the initiator of the new IKE SA')
        scene.tokyo.torii('ike', 'reauth', 'newyork')
        wait_for(lambda: any(sa['number'] > second['number'] for sa in scene.tokyo.ike('newyork')), 'no IKE SA from the beginning', 4)
    third = scene.agreed()
    check(third['initiator'] and third['number'] > second['number'], f'it is not a newer one: {third}')
    scene.tokyo.torii('ike', 'down', 'newyork')
    wait_for(lambda: not scene.tokyo.ike('newyork') and not scene.newyork.ike('tokyo') and not scene.newyork.children('tokyo'),
             'SAs are left', 3)
    scene.tokyo.torii('ike', 'up', 'newyork')
    scene.agreed()
    scene.both_ways()


def reloads(scene):
    scene.tokyo.torii('ike', 'up', 'second')
    wait_for(lambda: scene.tokyo.children('second'), lambda: f'the second connection does not come up: {scene.tokyo.ike_log()[-600:]}')
    before, pairs = scene.agreed(), scene.tokyo.children('newyork')
    with open(scene.gateway_file('tokyo'), 'r+', encoding='ascii') as file:
        text = file.read()
        file.seek(0)
        file.write(text.replace('dpd_seconds = 30;', 'dpd_seconds = 31;'))
    scene.tokyo.process.send_signal(signal.SIGHUP)
    wait_for(lambda: not scene.tokyo.ike('second'), lambda: f'the changed one goes on: {scene.tokyo.said()[-600:]}')
    wait_for(lambda: not scene.newyork.ike('second'), 'newyork was not told of the end')
    check(scene.agreed()['number'] == before['number'] and
          [p['number'] for p in scene.tokyo.children('newyork')] == [p['number'] for p in pairs], 'what did not change was touched')
    scene.both_ways()


def comes_back(scene):
    old = scene.agreed()
    scene.restart('newyork')
    scene.ping('office-newyork', '10.0.1.5', count=1)
    new = scene.agreed()
    check(not new['initiator'] and new['number'] != old['number'], f'newyork should have begun anew: {new}')
    scene.both_ways()


def notices(scene):
    """Nothing goes from newyork's office after the restart: tokyo must find out by itself."""
    old = scene.agreed()
    scene.restart('newyork')
    wait_for(lambda: old['number'] not in [sa['number'] for sa in scene.tokyo.ike('newyork')],
             lambda: f'tokyo still believes in it: {scene.tokyo.ike()}', 12)
    scene.ping('office-tokyo', '10.0.2.5', count=1)
    scene.agreed()
    scene.both_ways()


def refuses_open_secrets(scene):
    os.chmod(os.path.join(scene.folder, 'psk.txt'), 0o644)
    try:
        done = subprocess.run([os.path.join(BUILD, 'app', 'toriid'), '--check', scene.gateway_file('tokyo')], capture_output=True, text=True,
                              timeout=20, check=False)
    finally:
        os.chmod(os.path.join(scene.folder, 'psk.txt'), 0o600)
    said = done.stdout + done.stderr
    check(done.returncode and 'chmod 600' in said and SECRET not in said, f'status {done.returncode}: {said}')


def logs_keys(scene):
    """What tshark reads of IKE_AUTH with the keys of the log: the identities, which are encrypted."""
    scene.tokyo.torii('ike', 'down', 'newyork')
    wait_for(lambda: not scene.tokyo.ike('newyork') and not scene.newyork.ike('tokyo'), 'SAs are left')
    scene.tap.frames()
    scene.tokyo.torii('ike', 'up', 'newyork')
    scene.agreed()
    file = os.path.join(scene.folder, 'wire.pcap')
    with open(file, 'wb') as pcap:
        pcap.write(struct.pack('=IHHIIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in scene.tap.frames():
            pcap.write(struct.pack('=IIII', 0, 0, len(frame), len(frame)) + frame)
    log = os.path.join(scene.folder, 'tokyo.keys')
    check(os.stat(log).st_mode & 0o077 == 0, 'others may read the key log')
    fields = ['-r', file, '-Y', 'isakmp.exchangetype == 35', '-T', 'fields', '-e', 'isakmp.id.data.ipv4_addr']
    environment = {**os.environ, 'HOME': scene.folder, 'XDG_CONFIG_HOME': scene.folder}

    def read_by(*keys):
        done = subprocess.run(['tshark', *fields, *keys], capture_output=True, text=True, timeout=30, check=False, env=environment)
        return done.stdout
    check('20.0.0' not in read_by(), 'tshark needs no keys')
    keys = [word for line in read(log).splitlines() if line for word in ('-o', f'uat:ikev2_decryption_table:{line}')]
    check('20.0.0.1' in (told := read_by(*keys)) and '20.0.0.2' in told, f'tshark reads {told!r} with {len(keys) // 2} keys')


def reload_both(scene, changed):
    """Both gateways read their files again, with what `changed(city, text)` makes of them, and begin anew."""
    for city, gateway in scene.gateways.items():
        with open(scene.gateway_file(city), 'r+', encoding='ascii') as file:
            text = changed(city, file.read())
            file.seek(0)
            file.write(text)
        gateway.process.send_signal(signal.SIGHUP)
    wait_for(lambda: not scene.tokyo.ike('newyork') and not scene.newyork.ike('tokyo'), 'the changed connections go on')
    scene.ping('office-tokyo', '10.0.2.5', count=1)
    scene.agreed()


def compresses(scene):
    """Both files say `ipcomp = true` from here on. A ping's thousand octets count up and start again."""
    reload_both(scene, lambda _, text: text.replace('name = "offices";', 'name = "offices"; ipcomp = true;'))
    for gateway in scene.gateways.values():
        pairs = wait_for(lambda g=gateway: [p for p in g.children() if p['state'] == 'installed'], 'no child')
        check(len(pairs) == 1 and pairs[0]['ipcomp'], f'the child does not compress: {pairs}')
        check(gateway.torii('setkey', '-D').count('C: deflate') == 2, 'the SAD has not two SAs of IPComp')
    scene.tap.frames()
    scene.network.inside('office-tokyo', 'ping', '-n', '-c', '3', '-i', '0.1', '-W', '2', '-s', '1000', '10.0.2.5')
    lengths = [len(frame) for frame in scene.tap.frames() if frame[12:14] == b'\x08\x00' and frame[23] == 50]
    check(len(lengths) == 6 and max(lengths) < 500, f'ESP on the wire has {lengths} octets: it is not compressed')
    with scene.flood('office-newyork', '10.0.1.5'):
        scene.tokyo.torii('ike', 'rekey', 'newyork/offices')
        wait_for(lambda: any(p['state'] == 'installed' and p['inbound_spi'] != pairs[0]['outbound_spi'] for p in scene.tokyo.children()),
                 'no new SAs', 1.5)
    scene.tokyo.torii('ike', 'down', 'newyork')
    for gateway in scene.gateways.values():
        wait_for(lambda g=gateway: 'No SAD entries' in g.torii('setkey', '-D'), 'SAs are left')
    scene.ping('office-newyork', '10.0.1.5', count=1)


def moves(scene):
    """Both files say `mobike = true` from here on, and tokyo's has a second address to which its SAs may go."""
    def changed(city, text):
        more = f'mobike = true; other_locals = ["{SECOND_OF_TOKYO}"];' if city == 'tokyo' else 'mobike = true;'
        return re.sub(r'(dpd_seconds = 1;)', rf'\1 {more}', text, count=1)

    reload_both(scene, changed)
    before = scene.tokyo.children('newyork')[0]
    with scene.flood('office-tokyo', '10.0.2.5'):
        scene.tokyo.torii('ike', 'move', 'newyork', SECOND_OF_TOKYO)
        wait_for(lambda: scene.newyork.ike('tokyo')[0]['remote'] == SECOND_OF_TOKYO, 'newyork believes tokyo at its first address', 1)
        wait_for(lambda: f'20.0.0.2 {SECOND_OF_TOKYO}' in scene.newyork.torii('setkey', '-D'), "newyork's SAs stayed", 1)
    pairs = scene.tokyo.children('newyork')
    check([p['number'] for p in pairs] == [before['number']] and pairs[0]['inbound_spi'] == before['inbound_spi'], f'there are new SAs: {pairs}')
    check(pairs[0]['outbound_packets'] > 600, f'the counts began anew: {pairs}')
    for gateway in scene.gateways.values():
        dump = gateway.torii('setkey', '-D')
        check('20.0.0.1 ' not in dump and ' 20.0.0.1' not in dump.replace(SECOND_OF_TOKYO, ''), f'an SA is where tokyo was: {dump}')
    drops = scene.newyork.drops()
    check(not drops.get('replayed') and not drops.get('policy_mismatch') and not drops.get('unknown_spi'), f'newyork dropped {drops}')
    scene.both_ways()


def finds_other_way(scene):
    """Newyork's filter cuts the way to the address that tokyo has moved to."""
    before = scene.tokyo.children('newyork')[0]
    scene.newyork.torii('filter', 'add', 'wire', 'block', 'in', 'on', 'wan', 'from', SECOND_OF_TOKYO)
    try:
        wait_for(lambda: scene.newyork.ike('tokyo')[0]['remote'] == '20.0.0.1', lambda: f'tokyo stays: {scene.tokyo.ike_log()[-600:]}', 10)
        wait_for(lambda: '20.0.0.2 20.0.0.1 ' in scene.newyork.torii('setkey', '-D'), "newyork's SAs stayed", 1)
    finally:
        scene.newyork.torii('filter', 'flush', 'wire')
    scene.both_ways()
    check(scene.tokyo.children('newyork')[0]['inbound_spi'] == before['inbound_spi'], 'there are new SAs')


def says_goodbye(scene):
    scene.agreed()
    scene.tokyo.close()
    wait_for(lambda: not scene.newyork.ike('tokyo') and not scene.newyork.children('tokyo'), 'newyork has SAs still', 1)
    check('the peer deletes it' in scene.newyork.ike_log(), 'newyork was not told')


def cases(scene):
    """The cases as (title, body); title and reason if one cannot be had here."""
    def case(title, body):
        return title, lambda: body(scene)

    yield case('the first ping from one office to the other is answered: it waited for the SAs that it asked for', traps)
    yield case('torii ike rekey, reauth, down and up do what they say, and new keys cost no ping', obeys)
    yield case('a reload ends the connection that was changed, and leaves the other alone', reloads)
    title = 'tshark reads IKE_AUTH with the key log that ike.key_log asks for, and not without'
    yield case(title, logs_keys) if shutil.which('tshark') else (title, 'there is no tshark')
    yield case('a gateway that lost its power comes back with its own first packet, and its peer forgets the old SAs', comes_back)
    yield case('a gateway whose peer lost his power finds out by itself, and its next packet begins anew', notices)
    yield case('a psk.txt that others may read is refused, with the words chmod 600', refuses_open_secrets)
    yield case('with ipcomp = true ESP on the wire is a fraction of what it carries; it is rekeyed in a flood and deleted with ESP',
               compresses)
    yield case('torii ike move takes the SAs to another address in a flood of pings, with their numbers, and none is lost (RFC 4555 3.5)',
               moves)
    yield case('a way that dies is noticed, and the same SAs go on by another one (RFC 4555 3.10)', finds_other_way)
    yield case('a gateway that is stopped tells its peer, who keeps nothing', says_goodbye)


class Hosts(Scene):
    """The FAQ's two hosts with a router between them; their programs speak through toriid's host ports."""

    def build(self):
        self.network.inside('wire', 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
        self.tap = None
        for name, address, router in (('node', '10.1.1.1', '10.1.1.254'), ('peer', '20.1.1.1', '20.1.1.254')):
            self.network.add(name)
            self.network.cable('wire', name, name, 'wan0')
            self.network.ip('wire', f'addr add {router}/24 dev {name}')
            self.write(f'{name}.setkey', read(FAQ, f'{name}.setkey'))
        self.tap = WireTap(self.network, 'wire', 'node')
        self.stack.callback(self.tap.close)
        self.write('psk.txt', read(FAQ, 'psk.txt'))
        for name in ('node', 'peer'):
            self.start(name, read(FAQ, f'{name}.conf'))
        for gateway in self.gateways.values():
            gateway.wait_until_ready(60)
            gateway.open_host_port()


def hosts_talk(scene):
    scene.tap.frames()
    scene.ping('node', '20.1.1.1', count=1)
    scene.ping('node', '20.1.1.1')
    scene.ping('peer', '10.1.1.1')
    for name, other in (('node', 'peer'), ('peer', 'node')):
        pairs = scene.gateways[name].children(other)
        check(len(pairs) == 1 and (pairs[0]['state'], pairs[0]['mode'], pairs[0]['protocol']) == ('installed', 'transport', 'esp'),
              f'{name} has {pairs}')
        check(pairs[0]['outbound_packets'] == pairs[0]['inbound_packets'] == 7, f'each side protected 7 packets each way: {pairs}')
    seen = [frame for frame in scene.tap.frames() if frame[12:14] == b'\x08\x00']
    others = [frame[23] for frame in seen if frame[23] != 50 and not (frame[23] == 17 and frame[34:38] == b'\x01\xf4\x01\xf4')]
    check(not others, f'protocols {others} are on the wire in clear')
    check(sum(frame[23] == 50 for frame in seen) == 14, 'seven pings and their answers should be 14 packets of ESP')


def dumped_keys(scene):
    dump = scene.gateways['node'].torii('setkey', '-D')
    for ends in ('10.1.1.1 20.1.1.1', '20.1.1.1 10.1.1.1'):
        check(ends in dump, f'setkey -D has no {ends}: {dump}')
    check('transport' in dump, f'they are not in transport mode: {dump}')


def rekeys_host(scene):
    before = scene.gateways['node'].children()[0]
    with scene.flood('node', '20.1.1.1'):
        scene.gateways['peer'].torii('ike', 'rekey', 'node/host')
        wait_for(lambda: any(p['state'] == 'installed' and p['number'] != before['number'] for p in scene.gateways['node'].children()),
                 'no new SAs', 1.5)


def host_cases(scene):
    def case(title, body):
        return f"the FAQ's example of IKE: {title}", lambda: body(scene)

    yield case('policies by setkey, keys by IKE; the first ping is answered, and all but IKE is ESP in transport mode', hosts_talk)
    yield case('setkey -D shows the keys that were exchanged', dumped_keys)
    yield case('new keys in a flood of pings between the hosts, and none is lost', rekeys_host)
