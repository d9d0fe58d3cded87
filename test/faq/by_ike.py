"""The FAQ's second example of its section on IKE: the mail server that serves POP3 by AH only. The policies are setkey's, IKE brings the
keys, and scapy opens the packets of the wires with what `setkey -D` prints of them. (The first example is in test/ike/house.py.)
"""
import os
import re
import shutil

import packets
import proofs
import services
from scapy.layers.inet import UDP
from scapy.layers.ipsec import AH, SecurityAssociation
from scenes import CONFIGS, Hosts

IKE_PORT = 500
ESN = 0x400  # of setkey -D's flags
SA = re.compile(r'(\S+) (\S+) \n\tah mode=transport spi=(\d+)\(.*?\tA: (\S+) +([\da-f \n]+)\n\tseq=\S+ replay=\S+ flags=(0x\w+)', re.DOTALL)


class HostsByIke(Hosts):
    """Hosts whose SAs IKE makes."""

    def start(self, name):
        os.chmod(shutil.copy(os.path.join(CONFIGS, self.example, 'psk.txt'), self.folder), 0o600)
        super().start(name)

    def keys(self):
        keys = packets.Keys('')
        for _, destination, spi, algorithm, key, flags in SA.findall(self.toriids['server'].torii('setkey', '-D')):
            sa = SecurityAssociation(AH, spi=int(spi), auth_algo=packets.AUTH_NAMES[algorithm], auth_key=bytes.fromhex(''.join(key.split())),
                                     esn_en=bool(int(flags, 16) & ESN))
            sa.auth_algo = packets.AuthOverEsp(sa.auth_algo)
            keys.sas[destination, 'ah', int(spi)] = sa
        return keys

    def spoken(self):
        """What the wires carried since the last look but for IKE, and the ends of IKE's messages."""
        rest, ends = [], set()
        for octets in self.carried():
            packet = packets.ip(octets)
            if UDP in packet and packet[UDP].sport == packet[UDP].dport == IKE_PORT:
                ends.add((packet.src, packet.dst))
            else:
                rest.append(octets)
        return rest, ends


def mail_server_by_ike():
    with HostsByIke('16-ike-mail-server', near='server', far='client') as scene:
        yield "the mail server by IKE: a client's first SYN waits for the SAs that it asks for, and all but IKE is IPv4 AH payload", \
            lambda: first_mail(scene)
        yield 'the mail server by IKE: what IKE made are two SAs of AH in transport mode, for TCP to port 110', lambda: has_children(scene)
        yield 'the mail server by IKE: further mail is IPv4 AH payload on the wire, both ways, by the same SAs', lambda: more_mail(scene)
        yield 'the mail server by IKE: everything else with the client is clear', lambda: everything_else(scene)
        yield 'the mail server by IKE refuses a client that asks in clear, and answers nothing', lambda: services.clear_client(scene)
        yield 'the mail server by IKE: its own programs fetch mail without AH, and IKE is not asked', lambda: services.own_programs(scene)
        yield 'the mail server by IKE: new keys between two mails, and the second goes by them', lambda: rekeys(scene)
        yield 'the mail server by IKE: an exception for one client works in front of the policies for all, and not behind them', \
            lambda: services.order_matters(scene)


def first_mail(scene):
    scene.forget_wire()
    services.served(scene, scene.far, f'the client got no mail: {scene.toriids["client"].torii("show", "ike-log")[-600:]}')
    seen, ike = scene.spoken()
    proofs.check(ike == proofs.ways_between(scene.near.address, scene.far.address), f'IKE went {ike}')
    proofs.check_form(seen, scene.keys(), 'IPv4 AH payload', (), proofs.ways_between(scene.near.address, scene.far.address))


def children(scene, name):
    return scene.toriids[name].children()


def has_children(scene):
    for name, local, remote in (('server', '10.1.1.1[tcp/110]', '20.1.1.1[tcp]'), ('client', '20.1.1.1[tcp]', '10.1.1.1[tcp/110]')):
        pairs = children(scene, name)
        proofs.check(len(pairs) == 1, f'{name} has {pairs}')
        pair = pairs[0]
        proofs.check((pair['protocol'], pair['mode'], pair['state']) == ('ah', 'transport', 'installed'), f'{name} has {pair}')
        proofs.check((pair['local'], pair['remote']) == ([local], [remote]), f'the traffic of {name} is {pair["local"]} and {pair["remote"]}')


def more_mail(scene):
    before = [pair['number'] for pair in children(scene, 'server')]
    services.pop3_is_ah(scene)
    proofs.check([pair['number'] for pair in children(scene, 'server')] == before, 'there are other SAs')


def everything_else(scene):
    proofs.has_form(scene, 'IPv4 payload')


def rekeys(scene):
    old = children(scene, 'client')[0]
    scene.toriids['client'].torii('ike', 'rekey', 'server/pop3')
    proofs.wait_for(lambda: any(p['state'] == 'installed' and p['number'] != old['number'] for p in children(scene, 'client')),
                    f'no new SAs: {children(scene, "client")}')
    services.pop3_is_ah(scene)
    new = next(p for p in children(scene, 'server') if p['state'] == 'installed')
    proofs.check(new['outbound_packets'] > 0 and new['inbound_spi'] != old['outbound_spi'], f'the mail went by others: {new}')


BY_IKE = [mail_server_by_ike]
