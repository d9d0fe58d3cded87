"""What each stranger's daemon over a real kernel is asked for, in either direction; what only one of them can do is in its own file."""
from kernel_scene import INNER, OTHER_OUTER, OUTER, OUTER6, Pings, check, wait_for


def titled(daemon, scene):
    """case(title, body, words of the body...) -> (title, body of a scene) for a daemon's cases."""
    def case(title, body, *words, **more):
        return f'{daemon} over a real kernel: {title}', lambda: body(scene, *words, **more)
    return case


def connects(scene, name, side, protocol=50, mode='tunnel', suite='', **words):
    """Whoever begins: SAs of this mode and protocol in both, and packets of nothing else on the wire."""
    scene.end()
    _, pair = scene.begin(name, side)
    check(pair['mode'] == mode and suite in pair['suite'], f'the SAs are others: {pair}')
    states = scene.kernels()
    check(all(sa['mode'] == mode for sa in states if sa['protocol'] in ('esp', 'ah')), f'the kernel has others: {states}')
    scene.tap.frames()
    scene.passes(mode, **words)
    others = [seen for seen in scene.on_wire() if seen[0] != protocol]
    check(not others, f'(protocol, octets) {others} were on the wire beside {protocol}')


def by_example(scene, protocol=50):
    """The files that users are given, of both sides."""
    for side in ('guest', 'torii'):
        connects(scene, 'newyork', side, protocol)


def with_esn(scene, name, side, **words):
    connects(scene, name, side, **words)
    check(all(sa['esn'] for sa in scene.kernels() if sa['protocol'] in ('esp', 'ah')), f'the kernel has no ESN: {scene.kernels()}')
    check('esn' in scene.children()[0]['suite'], f'torii has no ESN: {scene.children()}')


def compresses(scene, name, side, mode, target, back):
    """A ping's zeros are compressed by whoever sends it: asks and answers of both are short on the wire, and both kernels' IPComp counts."""
    scene.end()
    _, pair = scene.begin(name, side)
    check(pair['ipcomp'], f'the child does not compress: {pair}')
    scene.tap.frames()
    scene.host_ping('office' if mode == 'tunnel' else 'torii', target, 1200)
    scene.guest_ping(back, 1200, source=INNER if mode == 'tunnel' else None)
    lengths = [octets for protocol, octets in scene.on_wire() if protocol == 50]
    check(len(lengths) == 12 and max(lengths) < 500, f'ESP on the wire has {lengths} octets: 12 short ones should be there')
    counted = [(sa['source'], sa['packets']) for sa in scene.kernels() if sa['protocol'] == 'comp']
    check(sorted(packets for _, packets in counted) == [6, 6], f'the IPComp of the kernel counts {counted}')


def new_child_keys(scene, name, side, place='office', target=INNER, lost_max=0):
    before_ike, before = scene.have(name)
    with scene.flood(place, target, interval=0.005, lost_max=lost_max):
        if side == 'torii':
            scene.torii.torii('ike', 'rekey', f'{name}/offices')
        else:
            scene.daemon.rekey_child(name)
        scene.wait_until_others(before)
    ike, after = scene.wait_until_agreed(name)
    check(ike['number'] == before_ike['number'] and after['outbound_spi'] != before['outbound_spi'], f'it is not the child alone: {ike} {after}')


def new_ike_keys(scene, name, side):
    before, pair = scene.have(name)
    with scene.flood('office', INNER, interval=0.005):
        if side == 'torii':
            scene.torii.torii('ike', 'rekey', name)
        else:
            scene.daemon.rekey_ike(name)
        wait_for(lambda: before['number'] not in [sa['number'] for sa in scene.torii.ike()], lambda: f'no new IKE SA: {scene.both()}', 2.5)
    after, moved = scene.wait_until_agreed(name)
    check(after['initiator'] == (side == 'torii') and moved['inbound_spi'] == pair['inbound_spi'], f'the child did not move: {after} {moved}')


def stays_out(scene, name, told_torii, told_daemon):
    """A connection on which the two cannot agree: nobody comes in, whoever begins, and each side is told in its words."""
    for side in told_torii:
        scene.end()
        scene.daemon.choose(name)
        torii_log, daemon_log = len(scene.torii.said()), scene.daemon.told(told_daemon[side])
        if side == 'torii':
            scene.torii.torii('ike', 'up', f'{name}/offices')
        else:
            scene.daemon.try_up(name)
        wait_for(lambda: told_torii[side] in scene.torii.said()[torii_log:], lambda: f'torii was not told "{told_torii[side]}": {scene.both()}')
        wait_for(lambda: scene.daemon.told(told_daemon[side], daemon_log), lambda: f'it was not told "{told_daemon[side]}": {scene.both()}')
        check(not scene.children(), f'there are SAs: {scene.children()}')
        scene.daemon.give_up(name)
        scene.wait_until_nothing()


def behind_nat(scene, name, mode, loses=0):
    """The guest's way is its other card, behind a NAT of addresses and ports. It begins."""
    scene.end()
    scene.guest.check(f'ip link set eth0 down;'
                      f' ip route add 20.0.0.0/24 via 192.168.7.1; ip route add 10.0.1.0/24 via 192.168.7.1 src {INNER}')
    try:
        ike, pair = scene.begin(name, 'guest')
        check(ike['remote'] == '20.0.0.254' and pair['in_udp'], f'torii sees no NAT: {ike} {pair}')
        scene.passes(mode, '20.0.0.254', large=1200)
        if mode == 'tunnel':
            new_keys_behind_nat(scene, name, pair, loses)
        else:
            talks_tcp(scene)
        scene.end()
    finally:
        scene.guest.check(f'ip route del 20.0.0.0/24 via 192.168.7.1; ip link set eth0 up; ip addr add {OUTER6}/64 dev eth0 nodad 2>/dev/null;'
                          f' ip route replace 10.0.1.0/24 via 20.0.0.1 src {INNER}')


def new_keys_behind_nat(scene, name, pair, loses):
    """For the child in a flood of pings; then for the IKE SA, by the peer, who comes from another port of the NAT; and there for the child again."""
    with scene.flood('office', INNER, interval=0.005, lost_max=loses):
        scene.torii.torii('ike', 'rekey', f'{name}/offices')
        scene.wait_until_others(pair)
    ike, pair = scene.wait_until_agreed(name)
    scene.nat.forget()
    scene.guest.run('ping -c 1 -W 1 10.0.1.5')
    scene.daemon.rekey_ike(name)
    wait_for(lambda: (now := scene.torii.ike()) and all(sa['number'] != ike['number'] and sa['remote_port'] != ike['remote_port'] for sa in now),
             lambda: f'the IKE SA is as it was: {scene.torii.ike()} {scene.both()}', 8)
    scene.torii.torii('ike', 'rekey', f'{name}/offices')
    scene.wait_until_others(pair)
    scene.wait_until_agreed(name)
    scene.passes('tunnel', large=1200)


def talks_tcp(scene):
    """A checksum that the NAT's addresses broke is a matter of TCP and UDP, not of pings (RFC 3948 3.1.2)."""
    scene.guest.check('echo through the NAT >/tmp/line; nc -ll -p 7 -e cat /tmp/line </dev/null >/dev/null 2>&1 &')
    wait_for(lambda: ':0007 ' in scene.guest.check('cat /proc/net/tcp /proc/net/tcp6'), 'nobody listens in the guest')
    said = scene.network.inside('torii', 'busybox', 'nc', '-w', '5', '20.0.0.254', '7', input=b'', seconds=10)
    check(said == b'through the NAT\n', f'a program in the guest was asked by TCP, and what came is {said!r}')


def dies(scene, name):
    """The daemon alone is killed: its kernel has the SAs still, and would take packets for ever. Torii notices, and begins anew."""
    before, _ = scene.have(name)
    scene.daemon.kill()
    check(scene.kernels(), 'the SAs of the kernel went with the daemon: it was not killed')
    wait_for(lambda: not scene.torii.ike() and not scene.torii.children(),
             lambda: f'torii believes it alive: {scene.torii.ike()} {scene.torii.ike_log()[-500:]}', 15)
    scene.daemon.restart()
    after, _ = scene.begin(name, 'torii')
    check(after['number'] != before['number'], f'it is the old IKE SA: {after}')
    scene.passes()


def comes_back(scene, name):
    """Killed, it begins anew before anybody has asked whether it lives: by its INITIAL_CONTACT Torii knows that the old SAs are none."""
    scene.end()
    before, _ = scene.begin(name, 'guest')
    scene.daemon.kill()
    scene.daemon.restart()
    check([sa['number'] for sa in scene.torii.ike()] == [before['number']], f'torii should know nothing yet: {scene.torii.ike()}')
    after, _ = scene.begin(name, 'guest')
    check(after['number'] != before['number'], f'it is the old IKE SA: {after}')
    scene.passes()


def narrows(scene, name, side):
    """The peer has more traffic than Torii has."""
    scene.end()
    _, pair = scene.begin(name, side)
    check((pair['local'], pair['remote']) == (['10.0.1.0/24'], ['10.0.2.0/24']), f'the traffic is another: {pair}')
    policies = scene.guest.check('ip xfrm policy')
    check('src 10.0.2.0/24 dst 10.0.1.0/24' in policies and '10.0.0.0/8' not in policies, f'the kernel has other policies: {policies}')
    scene.passes()
    if side == 'torii':  # pluto would abort at the end of a connection that it has narrowed, were it asked to end it first
        scene.torii.torii('ike', 'down', name)


def traps(scene, name):
    """The guest's kernel asks for SAs by its own acquire, and the daemon begins."""
    scene.end()
    with scene.daemon.trap(name):
        scene.guest.run(f'ping -c 1 -W 1 -I {INNER} 10.0.1.5')
        ike, _ = scene.wait_until_agreed(name)
        check(not ike['initiator'], f'torii began: {ike}')
        scene.passes()


def moves(scene, name):
    """The guest loses its address and has another one: the SAs follow, with their keys and numbers."""
    scene.end()
    ike, pair = scene.begin(name, 'guest')
    scene.guest.check(f'ip addr add {OTHER_OUTER}/24 dev eth0; ip route add default via 20.0.0.1')  # by which pluto finds its next address
    try:
        with Pings(scene.network, 'office', INNER, 600, 0.005) as pings:
            scene.guest.check(f'ip addr del {OUTER}/24 dev eth0; ip route replace 10.0.1.0/24 via 20.0.0.1 src {INNER}')
            wait_for(lambda: scene.torii.ike()[0]['remote'] == OTHER_OUTER, lambda: f'torii knows nothing of it: {scene.both()}', 4)
            answers = pings.answers(seconds=1)
        lost = [n for n, times in enumerate(answers) if times == 0]
        check(len(lost) < 400 and (not lost or lost[-1] - lost[0] + 1 == len(lost)), f'pings {lost} were lost: more than one gap of 2 s')
        after_ike, after = scene.wait_until_agreed(name)
        check((after_ike['number'], after['inbound_spi']) == (ike['number'], pair['inbound_spi']), f'the SAs are new: {after_ike} {after}')
        check({OTHER_OUTER, '20.0.0.1'} == {sa['source'] for sa in scene.kernels()}, f'the kernel has them elsewhere: {scene.kernels()}')
        scene.passes()
    finally:
        scene.guest.check(f'ip addr add {OUTER}/24 dev eth0; ip addr del {OTHER_OUTER}/24 dev eth0;'
                          f' ip route replace 10.0.1.0/24 via 20.0.0.1 src {INNER}; ip route del default')
        scene.end()
