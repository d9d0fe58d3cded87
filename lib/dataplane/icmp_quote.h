// What an ICMP error quotes: the packet that it is about, by which RFC 4301 6.2 has it judged. Every octet of it is the
// sender's to choose. Any thread; packets are read alone.
#pragma once

#include <optional>

#include "control/settings.h"
#include "packet/packet.h"
#include "policy/selector.h"

namespace torii {

/// An ICMP error, as policies want to know it.
struct IcmpQuote {
    control::IcmpKind kind{};
    /// What an answer to the quoted packet would offer to be matched: its selectors with the ends exchanged, and the
    /// tag that it would bear: that of the SAs' packets the error came in, or what the filter says. Nothing when the
    /// quote ends before it tells the protocol, is no IP of the error's own family, or went out by another address than
    /// the error comes to.
    std::optional<PacketSelector> answer;
};

/// Whether the packet is an ICMP error, or a fragment of what may be one. Its verdict is its own: other errors of its
/// flow quote other packets.
bool may_be_icmp_error(const Packet& packet);

/// What the error `packet`, whole or its first fragment, quotes; nothing when it is no ICMP error.
std::optional<IcmpQuote> icmp_quote(const Packet& packet);

/// Sets `quoted` to the packet that the ICMP error `packet` quotes: family, `ip`, the octets of it that are there,
/// header length, protocol, fragment. False when there is none to be read, as in IcmpQuote::answer.
bool read_quoted(const Packet& packet, Packet& quoted);

/// Whether the error quotes a packet that one of our SAs may have sent. ESP in UDP comes from port 4500 (RFC 3948 2.1),
/// as IKE does, and only what tells its path MTU is of use.
bool is_about_ipsec(const IcmpQuote& quote);

/// The selectors of answers to a packet with these: the ends exchanged, and echo requests for replies.
PacketSelector reversed(const PacketSelector& selector);

}  // namespace torii
