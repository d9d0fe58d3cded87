"""What each stranger's daemon over a real kernel is asked for, in either direction; what only one of them can do is in its own file."""
from kernel_scene import INNER, check, wait_for


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
    """A connection whose pre-shared key is another one on each side: nobody comes in, whoever begins, and each side is told in its words."""
    for side in ('torii', 'guest'):
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
