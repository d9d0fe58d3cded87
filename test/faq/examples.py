"""The examples of the NetBSD IPsec FAQ, in its order, and what it warns of. Each is a generator of (title, proof): its scene is
up from the first title to the last, and the proofs run in order."""
import packets
import proofs
from scenes import Hosts, LeafNode, Offices

ICMP, UDP, ESP = 1, 17, 50


def host_esp():
    with Hosts('01-host-esp') as scene:
        form = 'IPv4 ESP payload'
        yield 'ESP between two hosts (3des-cbc) is IPv4 ESP payload on the wire, both ways', lambda: proofs.has_form(scene, form)
        yield 'ESP between two hosts: the scripts run as printed, on both', lambda: proofs.runs_as_printed(
            scene, form, {'node': '01-host-esp.node.sh', 'peer': '01-host-esp.peer.sh'})
        yield 'a key that is not as long as its algorithm wants is an error, as the FAQ says', lambda: wrong_key_lengths(scene)
        yield 'ESP between two hosts: these policies do not forbid clear text that comes in, as the FAQ says', \
            lambda: proofs.taken(scene, 'node', proofs.clear_to_near(scene))
        yield 'level use sends in clear while there is no SA, and asks for one', lambda: use_without_sa(scene)
        yield 'level require sends nothing while there is no SA', lambda: require_without_sa(scene)


def wrong_key_lengths(scene):
    for key in ('"hogehogehogehoge"', '"hogehogehogehogehogehogehoge"'):
        try:
            scene.toriids['node'].setkey(f'add 10.1.1.1 20.1.1.1 esp 9999 -E 3des-cbc {key};')
        except proofs.Wrong as why:
            proofs.check('3des-cbc takes keys of 192 bits' in str(why), f'the error is: {why}')
        else:
            raise proofs.Wrong(f'the key {key} was taken')


def use_without_sa(scene):
    scene.toriids['node'].setkey('delete 10.1.1.1 20.1.1.1 esp 9876;')
    scene.forget_wire()
    texts = proofs.exchange(scene)
    forms = {}
    for octets in scene.carried('node'):
        form, packet = scene.keys().open(octets)
        forms[packet.src] = form
        proofs.check(any(text in bytes(packet) for text in texts), f'{packet.summary()} is none of what was sent')
    proofs.check(forms == {'10.1.1.1': 'IPv4 payload', '20.1.1.1': 'IPv4 ESP payload'}, f'the wire carried {forms}')
    proofs.wait_for(lambda: 'acquire: 10.1.1.1' in scene.toriids['node'].said(), 'the log has no acquire')


def require_without_sa(scene):
    scene.toriids['node'].setkey('spdupdate 10.1.1.1 20.1.1.1 any -P out ipsec esp/transport//require;')
    proofs.waits_in_vain(scene, 'node')
    scene.toriids['node'].setkey('add 10.1.1.1 20.1.1.1 esp 9876 -E 3des-cbc "hogehogehogehogehogehoge";')
    proofs.has_form(scene, 'IPv4 ESP payload')


def host_esp_require():
    with Hosts('02-host-esp-require') as scene:
        form = 'IPv4 ESP payload'
        yield 'ESP between two hosts that require it is IPv4 ESP payload on the wire, both ways', \
            lambda: proofs.has_form(scene, form)
        yield 'clear text is refused where the added line requires ESP', \
            lambda: proofs.refused(scene, 'node', proofs.clear_to_near(scene), 'policy_mismatch')
        yield 'clear text in IPComp is refused where ESP is required: the hole of the stack the FAQ is about is gone', \
            lambda: ipcomp_hole(scene)
        yield 'the script with the added line runs as printed', \
            lambda: proofs.runs_as_printed(scene, form, {'node': '02-host-esp-require.node.sh'})
        yield 'policies of any protocol work: ping is ESP where only ICMP is to be, and UDP is clear', lambda: only_icmp(scene)
        yield 'one protocol may be applied several times: IPv4 ESP ESP payload', lambda: esp_twice(scene)
        yield "the policies of the FAQ's IKE example let nothing out and nothing in until there are SAs", lambda: ike_policies(scene)


def ipcomp_hole(scene):
    wrapped = packets.in_ipcomp(proofs.clear_to_near(scene))
    proofs.refused(scene, 'node', wrapped, 'policy_mismatch')
    scene.toriids['node'].setkey('spdflush;')  # the packet is a good one, and it was the policy that refused it
    proofs.taken(scene, 'node', wrapped)


def only_icmp(scene):
    for name, here, there in (('node', '10.1.1.1', '20.1.1.1'), ('peer', '20.1.1.1', '10.1.1.1')):
        scene.toriids[name].setkey(f'spdflush; spdadd {here} {there} icmp -P out ipsec esp/transport//require;'
                                   f'spdadd {there} {here} icmp -P in ipsec esp/transport//require;')
    for speak, protocol in ((proofs.exchange, UDP), (proofs.ping, ESP)):
        scene.forget_wire()
        speak(scene)
        seen = proofs.protocols_on(scene.carried())
        proofs.check(seen == {protocol}, f'the wire carried protocols {seen}, and should carry {protocol}')


def esp_twice(scene):
    twice = 'ipsec esp/transport//require esp/transport//require'
    for name, here, there in (('node', '10.1.1.1', '20.1.1.1'), ('peer', '20.1.1.1', '10.1.1.1')):
        scene.toriids[name].setkey(f'spdflush; spdadd {here} {there} any -P out {twice}; spdadd {there} {here} any -P in {twice};')
    proofs.has_form(scene, 'IPv4 ESP ESP payload')


def ike_policies(scene):
    policies = ('spdadd {0} {1} any -P out ipsec esp/transport//require;\n'
                'spdadd {1} {0} any -P in ipsec esp/transport//require;\n')
    for name, ends in (('node', ('10.1.1.1', '20.1.1.1')), ('peer', ('20.1.1.1', '10.1.1.1'))):
        scene.toriids[name].setkey('flush; spdflush;' + policies.format(*ends))
    proofs.waits_in_vain(scene, 'node')
    proofs.refused_in(scene, 'node', proofs.clear_to_near(scene), 'policy_mismatch')
    for toriid in scene.toriids.values():
        toriid.setkey('\n'.join(line for line in scene.statements('node').splitlines() if line.startswith('add')))
    proofs.has_form(scene, 'IPv4 ESP payload')


def host_rijndael():
    with Hosts('03-host-rijndael') as scene:
        form = 'IPv4 ESP payload'
        yield 'ESP between two hosts (rijndael-cbc) is IPv4 ESP payload on the wire, both ways', lambda: proofs.has_form(scene, form)
        yield 'the script with rijndael-cbc runs as printed', \
            lambda: proofs.runs_as_printed(scene, form, {'node': '03-host-rijndael.node.sh'})
        yield 'a wire that carries something else is noticed: these proofs are able to fail', lambda: clear_wire_is_noticed(scene)


def clear_wire_is_noticed(scene):
    scene.toriids['node'].setkey('spdflush;')
    try:
        proofs.has_form(scene, 'IPv4 ESP payload')
    except proofs.Wrong as why:
        proofs.check('is IPv4 payload, and should be IPv4 ESP payload' in str(why), f'what was noticed is: {why}')
    else:
        raise proofs.Wrong('the node sends in clear, and the proof held')


def host_ah():
    with Hosts('04-host-ah') as scene:
        form = 'IPv4 AH payload'
        yield 'AH between two hosts is IPv4 AH payload on the wire, both ways', lambda: proofs.has_form(scene, form)
        yield 'AH: what routers change may change on the way, and nothing else', lambda: proofs.is_authenticated(scene, form)
        yield 'the script with AH runs as printed', lambda: proofs.runs_as_printed(scene, form, {'node': '04-host-ah.node.sh'})


def host_esp_ah():
    with Hosts('05-host-esp-ah') as scene:
        form = 'IPv4 AH ESP payload'
        yield 'ESP and AH between two hosts are IPv4 AH ESP payload on the wire, both ways', lambda: proofs.has_form(scene, form)
        yield 'ESP and AH: what routers change may change on the way, and nothing else', \
            lambda: proofs.is_authenticated(scene, form)
        yield 'the script with ESP and AH runs as printed', \
            lambda: proofs.runs_as_printed(scene, form, {'node': '05-host-esp-ah.node.sh'})


GATEWAYS = ('20.0.0.1', '20.0.0.2')


def vpn():
    with Offices('06-vpn') as scene:
        form = 'IPv4 ESP IPv4 payload'
        yield 'the VPN is IPv4 ESP IPv4 payload between the gateways, both ways', \
            lambda: proofs.has_form(scene, form, ends=GATEWAYS)
        yield 'the VPN refuses an office packet that comes from outside in clear', \
            lambda: proofs.refused(scene, 'tokyo', proofs.clear_to_near(scene), 'policy_mismatch')
        yield 'the script of the VPN runs as printed', \
            lambda: proofs.runs_as_printed(scene, form, {'tokyo': '06-vpn.tokyo.sh'}, ends=GATEWAYS)
        yield 'the VPN lets nothing out while it has no SA', lambda: vpn_without_sa(scene)


def vpn_without_sa(scene):
    scene.toriids['tokyo'].setkey('delete 20.0.0.1 20.0.0.2 esp 13245;')
    proofs.waits_in_vain(scene, 'tokyo')


def leaf_node():
    air = {'ends': ('10.0.1.5', '10.0.1.1'), 'interfaces': ('leaf', 'router')}
    with LeafNode('07-leaf-node') as scene:
        form = 'IPv4 ESP IPv4 payload'
        yield 'all of the leaf node is IPv4 ESP IPv4 payload in the air, both ways', lambda: proofs.has_form(scene, form, **air)
        yield 'behind the router the traffic of the leaf node is clear', \
            lambda: proofs.has_form(scene, 'IPv4 payload', interfaces=('eth0',))
        yield 'the router itself is reached through the tunnel of the leaf node', lambda: router_is_reached(scene)
        yield 'the leaf node refuses clear text from the air, whoever it claims to be from', lambda: strangers_in_the_air(scene)
        yield 'the router refuses clear text in the name of the leaf node', lambda: to_router_in_clear(scene)
        yield 'the script of the leaf node runs as printed', \
            lambda: proofs.runs_as_printed(scene, form, {'leaf': '07-leaf-node.leaf.sh'}, **air)


def router_is_reached(scene):
    scene.forget_wire()
    proofs.ping(scene, '10.0.1.1')
    proofs.check_form(scene.carried('leaf'), scene.keys(), 'IPv4 ESP IPv4 payload', (), proofs.ways_between('10.0.1.5', '10.0.1.1'))


def strangers_in_the_air(scene):
    for stranger in (scene.far.address, '10.0.1.1', '10.0.1.66'):
        clear = packets.udp((stranger, 5000), (scene.near.address, 5000), b'in clear, by a stranger')
        proofs.refused(scene, 'leaf', clear, 'policy_mismatch')


def to_router_in_clear(scene):
    clear = packets.udp((scene.near.address, 5000), (scene.far.address, 5000), b'in clear, by a stranger')
    proofs.refused(scene, 'router', clear, 'policy_mismatch', receiver=scene.far)


def ah_tunnel():
    with Offices('10-ah-tunnel') as scene:
        form = 'IPv4 AH IPv4 payload'
        yield 'AH in tunnel mode, which the FAQ warns of, works: IPv4 AH IPv4 payload, both ways', \
            lambda: proofs.has_form(scene, form, ends=GATEWAYS)
        yield 'AH in tunnel mode: what routers change may change on the way, and nothing else', \
            lambda: proofs.is_authenticated(scene, form)
        yield 'AH in tunnel mode refuses an office packet that comes from outside in clear', \
            lambda: proofs.refused(scene, 'tokyo', proofs.clear_to_near(scene), 'policy_mismatch')


TFTP_PORT = 69


def tftp_is_blocked(scene, reason):
    """What the far office sends to that port of the near one is dropped in Tokyo, behind ESP, and other ports are not."""
    before = scene.toriids['tokyo'].drops()
    with scene.socket(scene.near, port=TFTP_PORT) as near, scene.socket(scene.far) as far:
        far.sendto(proofs.fresh_text(), near.getsockname())
        proofs.wait_for(lambda: proofs.dropped_since(scene, 'tokyo', before), 'it was not dropped')
    drops = proofs.dropped_since(scene, 'tokyo', before)
    proofs.check(drops == {reason: 1}, f'dropped {drops}, and should be one {reason}')
    proofs.exchange(scene)


def ipf():
    with Offices('12-ipf') as scene:
        form = 'IPv4 ESP IPv4 payload'
        yield 'the packet filter lets the VPN through by its protocol: IPv4 ESP IPv4 payload, both ways', \
            lambda: proofs.has_form(scene, form, ends=GATEWAYS)
        yield 'the packet filter stops what is not ESP before any policy is asked', \
            lambda: proofs.refused(scene, 'tokyo', proofs.clear_to_near(scene), 'filter_wire')
        yield 'a rule about what is inside ESP holds at hook clear', lambda: tftp_is_blocked(scene, 'filter_clear')
        yield 'without its rule the filter lets no ESP in, as the FAQ warns', lambda: esp_without_rule(scene)


def esp_without_rule(scene):
    toriid = scene.toriids['tokyo']
    toriid.torii('filter', 'delete', 'wire', '1')
    before = toriid.drops()
    with scene.programs() as (near, far):
        far.sendto(proofs.fresh_text(), near.getsockname())
        proofs.wait_for(lambda: proofs.dropped_since(scene, 'tokyo', before), 'it was not dropped')
    drops = proofs.dropped_since(scene, 'tokyo', before)
    proofs.check(drops == {'filter_wire': 1}, f'dropped {drops}, and should be one filter_wire')


def gif():
    with Offices('13-gif') as scene:
        form = 'IPv4 ESP IPv4 payload'
        yield 'a gif port under transport-mode ESP is IPv4 ESP IPv4 payload on the wire, both ways', \
            lambda: proofs.has_form(scene, form, ends=GATEWAYS)
        yield 'what came out of a gif port is filtered by the name of the port', lambda: tftp_is_blocked(scene, 'filter_wire')
        yield "a gif port's packets in clear are refused, though the filter lets them in", lambda: gif_in_clear(scene)


def gif_in_clear(scene):
    toriid = scene.toriids['tokyo']
    toriid.torii('filter', 'add', 'wire', 'pass', 'in', 'on', 'wan', 'proto', '4', '-b', '1')
    inside = proofs.clear_to_near(scene)
    proofs.refused(scene, 'tokyo', packets.in_ip(inside, '20.0.0.2', '20.0.0.1'), 'policy_mismatch')
    toriid.setkey('spddelete 20.0.0.2 20.0.0.1 4 -P in;')  # the packet is a good one, and it was the policy that refused it
    proofs.taken(scene, 'tokyo', packets.in_ip(inside, '20.0.0.2', '20.0.0.1'))


EXAMPLES = [host_esp, host_esp_require, host_rijndael, host_ah, host_esp_ah, vpn, leaf_node, ah_tunnel, ipf, gif]
