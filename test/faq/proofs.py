"""What is proven of more than one example. Each raises Wrong with the reason when it is not so.

A scene's programs speak UDP and ping; what the wires carried meanwhile is taken apart packet by packet.
"""
import itertools
import time

import packets
from places import Wrong
from scapy.layers.inet import UDP

WORD_SECONDS = 3
NUMBERS = itertools.count(1)


def check(true, why):
    if not true:
        raise Wrong(why)


def fresh_text(octets=64):
    """Text that was never sent before: only what travels in clear has it on the wire."""
    return (f'torii in clear, text {next(NUMBERS)} '.encode() * octets)[:octets]


def heard(program):
    """What the program receives next, or None when nothing comes."""
    try:
        return program.recv(65535)
    except TimeoutError:
        return None


def exchange(scene, octets=64):
    """The near program asks and the far one answers, `octets` each way; returns both texts."""
    asked, answer = fresh_text(octets), fresh_text(octets)
    with scene.programs() as (near, far):
        for sender, receiver, text in ((near, far, asked), (far, near, answer)):
            sender.sendto(text, receiver.getsockname())
            got = heard(receiver)
            check(got == text, f'{len(text)} octets were sent to {receiver.getsockname()}, and {got and len(got)} came, not the same; '
                               f'dropped so far: { {name: toriid.drops() for name, toriid in scene.toriids.items()} }')
    return asked, answer


def ping(scene, target=None, place=None):
    """Two pings from the near end, or from `place`, must be answered."""
    said = scene.network.inside(place or scene.near.place, 'ping', '-n', '-c', '2', '-i', '0.2', '-W', '2',
                                target or scene.far.address).decode()
    check('2 received' in said, f'of 2 pings some were lost: {said}')


def check_form(seen, keys, form, texts, ways):
    """The captured packets are all of this form, both `ways` (source and destination outside), and carry the texts."""
    check(seen, 'the wire carried nothing')
    found, clear = set(), 'ESP' not in form
    for octets in packets.joined(seen):
        was, bottom = keys.open(octets)
        outside = packets.ip(octets)
        check(was == form, f'{outside.summary()} is {was}, and should be {form}')
        check((outside.src, outside.dst) in ways, f'{outside.summary()} is between other ends than {ways}')
        found.add((outside.src, outside.dst))
        for text in texts:
            check(clear or text not in octets, f'{outside.summary()} lets what it hides be read')
        if UDP in bottom:
            check(bytes(bottom[UDP].payload) in texts, f'the UDP in {outside.summary()} is not what was sent')
    check(found == set(ways), f'the packets went {found}, and should go {ways}')


def ways_between(one, other):
    return {(one, other), (other, one)}


def has_form(scene, form, ends=None, interfaces=()):
    """UDP and ping pass both ways, and on the wires (all, or these) every packet has this form and opens with the keys."""
    scene.forget_wire()
    texts = exchange(scene)
    ping(scene)
    check_form(scene.carried(*interfaces), scene.keys(), form, texts,
               ways_between(*(ends or (scene.near.address, scene.far.address))))


def runs_as_printed(scene, form, scripts, **more):
    """Each toriid gets its SAs and policies from the FAQ's script, and the wire has the form that its comment tells."""
    for name, printed in scripts.items():
        scene.script(name, printed)
    has_form(scene, form, **more)


def dropped_since(scene, name, before):
    """What was dropped since, but for what the machines' own kernels say to groups of hosts whenever they like (MLD)."""
    now = scene.toriids[name].drops()
    return {reason: count - before.get(reason, 0) for reason, count in now.items()
            if count != before.get(reason, 0) and reason != 'multicast'}


def refused(scene, name, octets, reason, receiver=None):
    """The packet, put on the wire to toriid NAME, is dropped for this reason, and not heard by the near program: the next
    thing that one hears was sent, protected, by the far program."""
    before = scene.toriids[name].drops()
    receiver = receiver or scene.near
    with scene.programs() as (near, far):
        scene.send_to(name, octets)
        target, sender = (near, far) if receiver == scene.near else (far, near)
        text = fresh_text()
        sender.sendto(text, target.getsockname())
        got = heard(target)
    check(got == text, f'the program heard {got}, and should hear {text}')
    drops = dropped_since(scene, name, before)
    check(drops == {reason: 1}, f'dropped {drops}, and should be one {reason}')


def refused_in(scene, name, octets, reason):
    """The packet, put on the wire to toriid NAME, is dropped for this reason and nothing else is."""
    before = scene.toriids[name].drops()
    scene.send_to(name, octets)
    wait_for(lambda: dropped_since(scene, name, before), 'nothing was dropped')
    drops = dropped_since(scene, name, before)
    check(drops == {reason: 1}, f'dropped {drops}, and should be one {reason}')


def taken(scene, name, octets):
    """The packet, put on the wire to toriid NAME, is heard by the near program; returns what it heard."""
    with scene.programs() as (near, _):
        scene.send_to(name, octets)
        got = heard(near)
    check(got is not None, f'the packet was not heard; dropped: {scene.toriids[name].drops()}')
    return got


def clear_to_near(scene):
    """A packet in clear that claims to come from the far program."""
    return packets.udp((scene.far.address, 5000), (scene.near.address, 5000), b'in clear, by a stranger')


def waits_in_vain(scene, name):
    """What the near program sends waits at toriid NAME for an SA that nobody makes, and the wires stay silent."""
    reason = 'sa_timeout'
    before = scene.toriids[name].drops()
    scene.forget_wire()
    scene.toriids[name].torii('set', 'larval_lifetime', '1')
    with scene.programs() as (near, far):
        near.sendto(fresh_text(), far.getsockname())
        wait_for(lambda: dropped_since(scene, name, before), 'nothing was dropped')
    drops = dropped_since(scene, name, before)
    scene.toriids[name].torii('set', 'larval_lifetime', '30')
    check(drops == {reason: 1}, f'dropped {drops}, and should be one {reason}')
    check(not scene.carried(), 'something of it was on the wire')


def wait_for(true, why):
    """Waits until `true()` is, for WORD_SECONDS at most."""
    end = time.monotonic() + WORD_SECONDS
    while not true():
        check(time.monotonic() < end, why)
        time.sleep(0.02)


def last_udp_to_near(scene, form):
    """The last packet of the near wire that carried UDP to the near end, as it was there."""
    keys = scene.keys()
    scene.forget_wire()
    exchange(scene)
    name = next(iter(scene.entrances))
    found = None
    for octets in scene.carried(scene.entrances[name][1]):
        was, bottom = keys.open(octets)
        if was == form and bottom.dst == scene.near.address and UDP in bottom:
            found = octets
    check(found, 'no UDP to the near end was on the wire')
    return name, found


def is_authenticated(scene, form):
    """A packet that a stranger sends again is refused once a bit of its data is turned, and heard when only what routers
    change is another: TTL and type of service; of IPv6 hop limit, traffic class and flow label. (Without -r there is no
    replay window.)"""
    name, octets = last_udp_to_near(scene, form)
    packet = packets.ip(octets)
    mutable = {'ttl': 7, 'tos': 0x20} if packet.version == 4 else {'hlim': 7, 'tc': 0x20, 'fl': 0x12345}
    immutable = {'id': packet.id ^ 1} if packet.version == 4 else {'src': packet.src + '6'}
    refused(scene, name, packets.spoiled(octets), 'bad_icv')
    taken(scene, name, packets.altered(octets, **mutable))
    refused(scene, name, packets.altered(octets, **immutable), 'bad_icv')


def protocols_on(seen):
    """The protocols in the outer headers of what a wire carried."""
    return {packets.protocol(packets.ip(octets)) for octets in seen}

