"""The FAQ's second kind of policy, that of one socket, as programs have it by libtorii-socket: socket_user.c, with sockets whose
packets are then looked at on the wire."""
import contextlib
import json
import os
import socket
import subprocess

import packets
import proofs
from places import Wrong
from scapy.layers.inet import TCP, UDP
from scenes import BUILD, PORT, Hosts, Hosts6

NOBODY = 65534
PROTECT = ('out ipsec esp/transport//require', 'in ipsec esp/transport//require')
BYPASS = ('out bypass', 'in bypass')
OTHER = PORT + 1
ESP_FORM, CLEAR_FORM = 'IPv4 ESP payload', 'IPv4 payload'


class User:
    """A program that has a socket and asks toriid for policies for it; `said` is how that went."""

    def __init__(self, path, sock, policies, user):
        words = [os.path.join(BUILD, 'test', 'faq', 'socket-user'), str(sock.fileno()), str(user), path, *policies]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[sock.fileno()])
        self.said = self.process.stdout.readline().strip()

    def close_next(self):
        """Has it close its next handle, and no other."""
        self.process.stdin.write('close\n')
        self.process.stdin.flush()
        proofs.check(self.process.stdout.readline() == 'closed\n', 'the program did not close its handle')

    def kill(self):
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def user_of(scene, name, sock, policies, user=0):
    """A program with privileges at toriid NAME's control socket, or of another user at its policy socket, while it lasts."""
    toriid = scene.toriids[name]
    program = User(toriid.socket if user == 0 else scene.policy_socket(name), sock, policies, user)
    try:
        yield program
    finally:
        program.kill()
        proofs.wait_for(lambda: policies_of(scene, name) == [], 'its policies did not end with it')


@contextlib.contextmanager
def held(scene, name, sock, policies, user=0):
    """The socket has the policies while it lasts."""
    with user_of(scene, name, sock, policies, user) as program:
        proofs.check(program.said == 'held', f'the program said: {program.said}')
        yield program


def speak(near, far):
    """Each tells the other something; returns both texts."""
    texts = proofs.fresh_text(), proofs.fresh_text()
    for (sender, receiver), text in zip(((near, far), (far, near)), texts):
        sender.sendto(text, receiver.getsockname())
        got = proofs.heard(receiver)
        proofs.check(got == text, f'{len(text)} octets were sent to {receiver.getsockname()}, and {got and len(got)} came, not the same')
    return texts


def forms_on(scene):
    """What the wires carried since the last look: the forms of each near port's packets."""
    forms, keys = {}, scene.keys()
    for octets in scene.carried():
        form, bottom = keys.open(octets)
        layer = bottom[UDP] if UDP in bottom else bottom[TCP]
        forms.setdefault(layer.sport if bottom.src == scene.near.address else layer.dport, set()).add(form)
    return forms


def carries(scene, **forms):
    """The wires carried these forms and nothing else; a port's word is p and its number."""
    seen, wanted = forms_on(scene), {int(port[1:]): {form} for port, form in forms.items()}
    proofs.check(seen == wanted, f'the wires carried {seen}, and should carry {wanted}')


def sockets():
    with Hosts('14-socket') as scene:
        yield 'the packets of a connected and of a bound socket with a policy are ESP on the wire, and no others', \
            lambda: only_theirs(scene)
        yield 'clear text for a socket whose policy requires ESP is refused, and taken for its neighbour', lambda: in_clear(scene)
        yield "a socket's policy ends when its handle is closed, each way for itself", lambda: closed(scene)
        yield "a socket's policy ends with its program, however that ends", lambda: killed(scene)
        yield 'a TCP connection of a socket with a policy is ESP from its first segment to its last', lambda: connection(scene)
        yield "a program without privileges is refused bypass in a clear sentence, and what is the SPD's", lambda: refusals(scene)
        yield 'a program without privileges protects its socket by the policy socket, and is refused the control socket', \
            lambda: without_privileges(scene)
        yield "the SPD comes before a socket's policy of a program without privileges, as in KAME", lambda: spd_first(scene)
        yield "root's bypass goes past an SPD that requires ESP, for its socket alone", lambda: bypass(scene)
        yield 'entrust leaves a socket to the SPD', lambda: entrust(scene)
    with Hosts6('11-host-ipv6') as scene:
        yield 'the packets of an IPv6 socket with a policy are ESP on the wire, and no others', lambda: over_ipv6(scene)


def over_ipv6(scene):
    for toriid in scene.toriids.values():
        toriid.setkey('spdflush;')
    two_sockets(scene, 'IPv6 ESP payload', 'IPv6 payload')


def only_theirs(scene):
    two_sockets(scene, ESP_FORM, CLEAR_FORM)


def two_sockets(scene, protected, clear):
    """Of two sockets of each host one has policies: connected here, bound there."""
    with scene.programs() as (near, far), scene.socket(scene.near, port=OTHER) as near2, scene.socket(scene.far, port=OTHER) as far2:
        near.connect(far.getsockname())
        with held(scene, 'node', near, PROTECT), held(scene, 'peer', far, PROTECT):
            scene.forget_wire()
            hidden = speak_connected(near, far)
            speak(near2, far2)
            seen = scene.carried()
            keys = scene.keys()
            for octets in seen:
                form, bottom = keys.open(octets)
                theirs = bottom[UDP].sport == PORT
                proofs.check(bottom[UDP].sport == bottom[UDP].dport, f'{bottom.summary()} is none of what was sent')
                proofs.check(form == (protected if theirs else clear), f'{bottom.summary()} is {form}')
                proofs.check(not any(text in octets for text in hidden), 'what the policy hides can be read')
            proofs.check(len(seen) == 2 * 2 * 2, f'{len(seen)} packets carried four datagrams over two links')


def speak_connected(near, far):
    """As speak(), for a near socket that is connected to the far one."""
    texts = proofs.fresh_text(), proofs.fresh_text()
    near.send(texts[0])
    proofs.check(proofs.heard(far) == texts[0], 'the far program did not hear the near one')
    far.sendto(texts[1], near.getsockname())
    proofs.check(proofs.heard(near) == texts[1], 'the near program did not hear the far one')
    return texts


def in_clear(scene):
    with scene.programs() as (near, _), scene.socket(scene.near, port=OTHER) as neighbour:
        with held(scene, 'node', near, PROTECT):
            before = scene.toriids['node'].drops()
            for port in (PORT, OTHER):
                scene.send_to('node', packets.udp((scene.far.address, PORT), (scene.near.address, port), b'in clear'))
            proofs.check(proofs.heard(neighbour) == b'in clear', 'the neighbour did not hear it')
            drops = proofs.dropped_since(scene, 'node', before)
            proofs.check(drops == {'policy_mismatch': 1}, f'dropped {drops}, and should be one policy_mismatch')
            near.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                raise Wrong(f'the socket heard {near.recv(100)}')


def policies_of(scene, name):
    """The owners of the policies of sockets at toriid NAME."""
    policies = json.loads(scene.toriids[name].torii('show', 'policy', '--json'))['policies']
    return [policy['owner'] for policy in policies if policy['owner'] != 'spd']


def closed(scene):
    with scene.programs() as (near, far), held(scene, 'node', near, PROTECT) as program:
        owners = policies_of(scene, 'node')
        proofs.check(owners == ['privileged socket'] * 2, f'the policies of sockets are of: {owners}')
        program.close_next()
        proofs.wait_for(lambda: len(policies_of(scene, 'node')) == 1, 'the policy did not end with its handle')
        scene.forget_wire()
        near.sendto(proofs.fresh_text(), far.getsockname())
        proofs.check(proofs.heard(far), 'the far program heard nothing')
        carries(scene, p5000=CLEAR_FORM)
        proofs.refused_in(scene, 'node', proofs.clear_to_near(scene), 'policy_mismatch')  # the other way still is
        program.close_next()
        proofs.wait_for(lambda: policies_of(scene, 'node') == [], 'the policy did not end with its handle')
        speak(near, far)


def killed(scene):
    with scene.programs() as (near, far):
        with held(scene, 'node', near, PROTECT) as program:
            program.kill()
            proofs.wait_for(lambda: policies_of(scene, 'node') == [], 'the policies did not end with the program')
        scene.forget_wire()
        speak(near, far)
        carries(scene, p5000=CLEAR_FORM)


def connection(scene):
    tcp = socket.SOCK_STREAM
    with scene.socket(scene.near, tcp) as client, scene.socket(scene.far, tcp) as service:
        service.listen()
        with held(scene, 'node', client, PROTECT), held(scene, 'peer', service, PROTECT):
            scene.forget_wire()
            client.connect(service.getsockname())
            served, _ = service.accept()
            with served:
                served.settimeout(proofs.WORD_SECONDS)
                for sender, receiver in ((client, served), (served, client)):
                    sender.sendall(b'over TCP')
                    proofs.check(receiver.recv(100) == b'over TCP', 'what was sent did not arrive')
            client.close()
            carries(scene, p5000=ESP_FORM)


def refusals(scene):
    answers = {
        'out bypass': 'only a privileged caller may bypass the SPD: run as root, or use entrust',
        'in bypass': 'only a privileged caller may bypass the SPD: run as root, or use entrust',
        'in discard': "'discard' is for the SPD: a socket's policy is entrust, bypass or ipsec",
        'out none': "'none' is for the SPD: a socket's policy is entrust, bypass or ipsec",
    }
    with scene.socket(scene.near) as near:
        for policy, why in answers.items():
            with user_of(scene, 'node', near, [policy], NOBODY) as program:
                proofs.check(program.said == f'refused: {why}', f'{policy}: the program said: {program.said}')
                proofs.check(policies_of(scene, 'node') == [], f'{policy} was refused, and is there')


def without_privileges(scene):
    with scene.programs() as (near, far):
        program = User(scene.toriids['node'].socket, near, PROTECT, NOBODY)
        program.kill()
        proofs.check('Permission denied' in program.said, f'at the control socket it was told: {program.said}')
        with held(scene, 'node', near, PROTECT, NOBODY), held(scene, 'peer', far, PROTECT, NOBODY):
            owners = policies_of(scene, 'node')
            proofs.check(owners == ['socket'] * 2, f'the policies of sockets are of: {owners}')
            scene.forget_wire()
            speak(near, far)
            carries(scene, p5000=ESP_FORM)


def spd_first(scene):
    near_end, far_end = scene.near.address, scene.far.address
    scene.toriids['node'].setkey(f'spdadd {near_end} {far_end} udp -P out none;')
    with scene.programs() as (near, far):
        for user, form in ((NOBODY, CLEAR_FORM), (0, ESP_FORM)):
            with held(scene, 'node', near, PROTECT[:1], user):
                scene.forget_wire()
                near.sendto(proofs.fresh_text(), far.getsockname())
                proofs.check(proofs.heard(far), 'the far program heard nothing')
                carries(scene, p5000=form)
    scene.toriids['node'].setkey('spdflush;')


def all_is_esp(scene):
    for name, here, there in (('node', scene.near, scene.far), ('peer', scene.far, scene.near)):
        scene.toriids[name].setkey(f'spdadd {here.address} {there.address} any -P out ipsec esp/transport//require;'
                                   f'spdadd {there.address} {here.address} any -P in ipsec esp/transport//require;')


def bypass(scene):
    all_is_esp(scene)
    with scene.programs() as (near, far), scene.socket(scene.near, port=OTHER) as near2, scene.socket(scene.far, port=OTHER) as far2:
        with held(scene, 'node', near, BYPASS), held(scene, 'peer', far, BYPASS):
            scene.forget_wire()
            speak(near, far)
            speak(near2, far2)
            carries(scene, p5000=CLEAR_FORM, p5001=ESP_FORM)
        scene.forget_wire()
        speak(near, far)
        carries(scene, p5000=ESP_FORM)
    for toriid in scene.toriids.values():
        toriid.setkey('spdflush;')


def entrust(scene):
    all_is_esp(scene)
    with scene.programs() as (near, far):
        for user in (0, NOBODY):
            with held(scene, 'node', near, ('out entrust', 'in entrust'), user):
                proofs.check(policies_of(scene, 'node') == [], 'a socket that is left to the SPD has a policy of its own')
                scene.forget_wire()
                speak(near, far)
                carries(scene, p5000=ESP_FORM)


SOCKETS = [sockets]
