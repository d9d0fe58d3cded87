"""The FAQ's examples about one service: the mail server that serves POP3 by AH only, and NFS with datagrams that travel in fragments."""
import contextlib
import os
import socket

import packets
import proofs
from scapy.layers.inet import TCP, fragment
from scenes import Hosts

POP3, NFS = 110, 2049
GREETING = b'+OK mailbox of this host\r\n'
REFUSED_SECONDS = 1.5  # in which a client sends its SYN twice

EXCEPTIONS = 'spdadd 10.1.1.1[110] {0} tcp -P out none;\nspdadd {0} 10.1.1.1[110] tcp -P in none;\n'
ALL_OTHERS = ('spdadd 10.1.1.1[110] 0.0.0.0/0 tcp -P out ipsec ah/transport//require;\n'
              'spdadd 0.0.0.0/0 10.1.1.1[110] tcp -P in ipsec ah/transport//require;\n')


@contextlib.contextmanager
def mailbox(scene):
    """A POP3 service on the server. Its kernel takes connections by itself; greet() does the rest."""
    with scene.socket(scene.near, socket.SOCK_STREAM, POP3) as service:
        service.listen()
        yield service


def fetch_mail(scene, service, client):
    """True if a client at this end gets the greeting; it asks for one, so that data goes both ways."""
    def connect():
        return socket.create_connection((scene.near.address, POP3), timeout=REFUSED_SECONDS)

    try:
        connection = scene.network.within(client.place, connect)
    except TimeoutError:
        return False
    with connection:
        served, _ = service.accept()
        with served:
            served.settimeout(proofs.WORD_SECONDS)
            connection.sendall(b'CAPA\r\n')
            proofs.check(served.recv(100) == b'CAPA\r\n', 'the server did not hear what the client asked')
            served.sendall(GREETING)
            proofs.check(connection.recv(100) == GREETING, 'the client did not hear the greeting')
    return True


def served(scene, client, why):
    with mailbox(scene) as service:
        proofs.check(fetch_mail(scene, service, client), why)


def not_served(scene, client, why):
    with mailbox(scene) as service:
        proofs.check(not fetch_mail(scene, service, client), why)


def mail_server():
    with Hosts('08-mail-server', near='server', far='client') as scene:
        yield 'the mail server: POP3 with the client is IPv4 AH payload on the wire, both ways', lambda: pop3_is_ah(scene)
        yield 'the mail server: everything else with the client is clear', lambda: proofs.has_form(scene, 'IPv4 payload')
        yield 'the mail server refuses a client that asks in clear, and answers nothing', lambda: clear_client(scene)
        yield 'the mail server: its own programs fetch mail without AH, and nothing of it is on a wire', lambda: own_programs(scene)
        yield 'an exception for one client works in front of the policies for all, and not behind them', lambda: order_matters(scene)


def pop3_is_ah(scene, form='IPv4 AH payload'):
    scene.forget_wire()
    served(scene, scene.far, 'the client got no mail')
    seen = scene.carried()
    proofs.check_form(seen, scene.keys(), form, (), proofs.ways_between(scene.near.address, scene.far.address))
    inside = [scene.keys().open(octets)[1] for octets in seen]
    proofs.check(all(TCP in packet and POP3 in (packet[TCP].sport, packet[TCP].dport) for packet in inside),
                 f'not all of it is POP3: {[packet.summary() for packet in inside]}')


def clear_client(scene, server='server'):
    scene.forget_wire()
    before = scene.toriids[server].drops()
    not_served(scene, scene.router, 'a client in clear got mail')
    drops = proofs.dropped_since(scene, server, before)
    proofs.check(set(drops) == {'policy_mismatch'}, f'dropped {drops}, and should be policy_mismatch')
    answers = [p.summary() for p in map(packets.ip, scene.carried()) if p.src == scene.near.address]
    proofs.check(not answers, f'the server answered {answers}')


def own_programs(scene):
    scene.forget_wire()
    served(scene, scene.near, 'a program of the server got no mail')
    proofs.check(not scene.carried(), 'something of it was on the wire')


def order_matters(scene):
    """What the FAQ warns of, shown with a client that the wire is needed for: the server's router, in clear."""
    server, exception = scene.toriids['server'], EXCEPTIONS.format(scene.router.address)
    server.setkey('spdflush;' + exception + ALL_OTHERS)
    served(scene, scene.router, 'the exception stands in front, and its client got no mail')
    served(scene, scene.far, 'the exception stands in front, and the client with AH got no mail')
    server.setkey('spdflush;' + ALL_OTHERS + exception)
    not_served(scene, scene.router, 'the exception stands behind, and its client got mail in clear')
    served(scene, scene.far, 'the exception stands behind, and the client with AH got no mail')


def nfs():
    with Hosts('09-nfs', near='client', far='server') as scene:
        yield 'NFS: datagrams of 4 to 8 KB arrive whole, both ways', lambda: big_datagrams(scene)
        yield 'NFS is fragments of IPv4 ESP payload on the wire, and none of them can be read', lambda: fragments_of_esp(scene)
        yield 'NFS: keys and policies load from ipsec.conf, as a boot does it with setkey -f', lambda: boots(scene)
        yield 'NFS: a fragment in clear is refused, and its datagram with it', lambda: clear_fragments(scene)


def ask_nfs(scene, octets):
    """The client's programs and the server's NFS send each other a datagram of so many octets; returns both."""
    request, answer = os.urandom(octets), os.urandom(octets)
    with scene.socket(scene.near, port=1023) as client, scene.socket(scene.far, port=NFS) as server:
        for sender, receiver, text in ((client, server, request), (server, client, answer)):
            sender.sendto(text, receiver.getsockname())
            got = proofs.heard(receiver)
            proofs.check(got == text, f'{octets} octets were sent, and {got and len(got)} came, not the same')
    return request, answer


def big_datagrams(scene):
    for octets in (1400, 1500, 4096, 6000, 8192, 8300):
        ask_nfs(scene, octets)


def fragments_of_esp(scene):
    scene.forget_wire()
    texts = ask_nfs(scene, 8192)
    seen = scene.carried()
    proofs.check(len(seen) >= 2 * 2 * 6, f'{len(seen)} packets carried two datagrams of 8 KB over two links')
    proofs.check(max(map(len, seen)) <= 1500, 'a packet on the wire is larger than its MTU')
    pieces = [text[at:at + 16] for text in texts for at in range(0, 8192 - 16, 512)]
    proofs.check(not any(piece in octets for octets in seen for piece in pieces), 'a fragment can be read')
    proofs.check_form(seen, scene.keys(), 'IPv4 ESP payload', texts, proofs.ways_between(scene.near.address, scene.far.address))


def boots(scene):
    """/etc/ipsec.conf holds what the FAQ's scripts have between `setkey -c <<EOF` and `EOF`."""
    client = scene.toriids['client']
    client.setkey('flush; spdflush;')
    file = os.path.join(scene.folder, 'ipsec.conf')
    with open(file, 'w', encoding='ascii') as conf:
        conf.write(''.join(line + '\n' for line in scene.statements('client').splitlines() if line.startswith(('add', 'spdadd'))))
    os.chmod(file, 0o600)
    client.torii('setkey', '-f', file)
    ask_nfs(scene, 8192)


def clear_fragments(scene):
    """As a stranger would send them; the af_packet port's kernel joins them, and the policy judges the whole."""
    whole = packets.udp((scene.far.address, 5000), (scene.near.address, 5000), os.urandom(4096))
    before = scene.toriids['client'].drops()
    for piece in fragment(packets.IP(whole), fragsize=1480):
        scene.send_to('client', bytes(piece))
    proofs.wait_for(lambda: proofs.dropped_since(scene, 'client', before), 'nothing was dropped')
    proofs.check(set(proofs.dropped_since(scene, 'client', before)) <= {'policy_mismatch', 'fragment_needs_ports'},
                 f'dropped {proofs.dropped_since(scene, "client", before)}')


SERVICES = [mail_server, nfs]
