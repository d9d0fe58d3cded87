"""What the FAQ says of IPv4 and IPv6 alike, over IPv6: its policies between A and B with addresses of IPv6, and its other
transforms between the same two hosts."""
import packets
import proofs
import services
from scenes import Hosts6

NEAR, FAR = '2001:db8:1::1', '2001:db8:2::1'
AH = (f'add {NEAR} {FAR} ah 9877 -A hmac-md5 "hogehogehogehoge";\n'
      f'add {FAR} {NEAR} ah 10001 -A hmac-md5 "mogamogamogamoga";\n')
POP3_IS_AH = ('spdflush; spdadd {0}[110] ::/0 tcp -P {out} ipsec ah/transport//require;'
              'spdadd ::/0 {0}[110] tcp -P {back} ipsec ah/transport//require;')


def policies(scene, requests):
    """Both sides apply these requests to everything between them, both ways; tunnels' {0} and {1} are the SA's ends."""
    for name, here, there in (('node', NEAR, FAR), ('peer', FAR, NEAR)):
        scene.toriids[name].setkey(f'spdflush; spdadd {here} {there} any -P out ipsec {requests.format(here, there)};'
                                   f'spdadd {there} {here} any -P in ipsec {requests.format(there, here)};')


def host_ipv6():
    with Hosts6('11-host-ipv6') as scene:
        form = 'IPv6 ESP payload'
        yield 'ESP between two hosts over IPv6 is IPv6 ESP payload on the wire, both ways', lambda: proofs.has_form(scene, form)
        yield 'clear text over IPv6 is refused where ESP is required, UDP and ping', lambda: clear_text(scene)
        yield 'the policies of A and B over IPv6 let nothing out and nothing in until there are SAs', lambda: without_sas(scene)
        yield 'AH over IPv6 is IPv6 AH payload, and what routers change may change on the way, nothing else', \
            lambda: in_ah(scene, 'ah/transport//require', 'IPv6 AH payload')
        yield 'ESP and AH over IPv6 are IPv6 AH ESP payload, and what routers change may change on the way, nothing else', \
            lambda: in_ah(scene, 'esp/transport//require ah/transport//require', 'IPv6 AH ESP payload')
        yield 'a tunnel between the hosts themselves is IPv6 ESP IPv6 payload', lambda: tunnel(scene)
        yield 'POP3 over IPv6 is AH for all the world, everything else is clear, and a client in clear gets no mail', \
            lambda: mail(scene)


def clear_text(scene):
    proofs.refused(scene, 'node', proofs.clear_to_near(scene), 'policy_mismatch')
    proofs.refused(scene, 'node', packets.echo(FAR, NEAR), 'policy_mismatch')
    scene.toriids['node'].setkey(f'spddelete {FAR} {NEAR} any -P in;')  # the packet is a good one, and it was the policy
    proofs.taken(scene, 'node', proofs.clear_to_near(scene))
    policies(scene, 'esp/transport//require')


def without_sas(scene):
    added = [line for line in scene.statements('node').splitlines() if line.startswith('add')]
    scene.toriids['node'].setkey('flush;')
    proofs.waits_in_vain(scene, 'node')
    proofs.refused_in(scene, 'node', proofs.clear_to_near(scene), 'policy_mismatch')
    scene.toriids['node'].setkey('\n'.join(added))
    proofs.has_form(scene, 'IPv6 ESP payload')


def in_ah(scene, requests, form):
    if not scene.added:
        scene.add(AH)
    policies(scene, requests)
    proofs.has_form(scene, form)
    proofs.is_authenticated(scene, form)


def tunnel(scene):
    policies(scene, 'esp/tunnel/{0}-{1}/require')
    proofs.has_form(scene, 'IPv6 ESP IPv6 payload')


def mail(scene):
    scene.toriids['node'].setkey(POP3_IS_AH.format(NEAR, out='out', back='in'))
    scene.toriids['peer'].setkey(POP3_IS_AH.format(NEAR, out='in', back='out'))
    services.pop3_is_ah(scene, 'IPv6 AH payload')
    proofs.has_form(scene, 'IPv6 payload')
    services.clear_client(scene, 'node')


OVER_IPV6 = [host_ipv6]
