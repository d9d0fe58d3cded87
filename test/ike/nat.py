"""A NAT of addresses and ports for UDP, small enough to have in a test: between the inside of a namespace and one peer outside.

    with Nat(network, place, inside interface, outside address, peer) as nat: ...; nat.forget()

Each inside address and port gets a socket of its own outside, whose port the kernel chooses. `forget()` is a NAT that was restarted:
what comes next from inside comes from other ports outside. Packets toward the inside are written with the peer as their source.
"""
import contextlib
import selectors
import socket
import struct
import threading

ETH_P_IP = 0x0800
OCTETS = 65535


class Nat:
    def __init__(self, network, place, interface, outside, peer):
        self.network, self.place, self.outside, self.peer = network, place, outside, peer
        network.inside(place, 'sysctl', '-qw', 'net.ipv4.ip_forward=0')
        self.inward = network.within(place, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
        self.taken = network.within(place, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP)))
        self.taken.bind((interface, ETH_P_IP))
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.taken, selectors.EVENT_READ)
        self.ends = {}  # (inside address, port) -> the socket outside
        self.lock = threading.Lock()
        self.running = True
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        self.forget()
        for end in (self.inward, self.taken, self.selector):
            end.close()

    def forget(self):
        with self.lock:
            for end in self.ends.values():
                self.selector.unregister(end)
                end.close()
            self.ends.clear()

    def work(self):
        while self.running:
            for key, _ in self.selector.select(0.1):
                with self.lock, contextlib.suppress(OSError, ValueError):  # forgotten meanwhile, or nobody listens there
                    if key.fileobj is self.taken:
                        self.outward(self.taken.recv(OCTETS))
                    else:
                        octets, (_, port) = key.fileobj.recvfrom(OCTETS)
                        self.back(key.data, port, octets)

    def outward(self, packet):
        head = (packet[0] & 15) * 4
        if packet[9] != socket.IPPROTO_UDP or socket.inet_ntoa(packet[16:20]) != self.peer:
            return
        source, target, length = struct.unpack('!HHH', packet[head:head + 6])
        whom = socket.inet_ntoa(packet[12:16]), source
        if whom not in self.ends:
            end = self.ends[whom] = self.network.within(self.place, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            end.bind((self.outside, 0))
            self.selector.register(end, selectors.EVENT_READ, whom)
        self.ends[whom].sendto(packet[head + 8:head + length], (self.peer, target))

    def back(self, whom, port, octets):
        """One from the peer's `port`, inward. The kernel completes the IP header; a checksum of 0 says that UDP has none."""
        udp = struct.pack('!HHHH', port, whom[1], 8 + len(octets), 0) + octets
        head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 63, socket.IPPROTO_UDP, 0, socket.inet_aton(self.peer),
                           socket.inet_aton(whom[0]))
        self.inward.sendto(head + udp, (whom[0], 0))
