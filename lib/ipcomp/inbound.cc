// IPComp from the unprotected side: RFC 3173 2.1. See ipcomp.h.
#include "ipcomp/ipcomp.h"

namespace torii {

namespace {

/// The most octets that may stand behind the packet's IP header: what its buffer holds, when the header moves to the
/// front.
std::size_t room_for_text(const Packet& p) {
    const std::size_t whole = std::size_t{p.mbuf->buf_len} - ethernet_room - p.ip_header_octets;
    return std::min<std::size_t>(whole, 0xffffu - p.ip_header_octets);
}

/// Puts `text` behind the packet's IP header. There is room, at the latest when both stand at the buffer's start.
void replace_payload(Packet& p, std::span<const std::byte> text) {
    if (p.room_before() + p.ip_header_octets + text.size() > p.mbuf->buf_len) {
        std::byte* const start = static_cast<std::byte*>(p.mbuf->buf_addr) + ethernet_room;
        std::memmove(start, p.ip, p.ip_header_octets);
        p.ip = start;
    }
    std::memcpy(p.payload(), text.data(), text.size());
}

Drop decompress(Deflate& deflate, Packet& p) {
    const auto header = *reinterpret_cast<const IpCompHeader*>(p.payload());
    const std::span packed{p.payload() + sizeof header, p.payload_octets() - sizeof header};
    const Deflate::Text text = deflate.decompress(packed, room_for_text(p));
    if (text.octets.empty()) return text.too_long ? Drop::decompressed_too_big : Drop::bad_ipcomp;
    replace_payload(p, text.octets);
    const Mode mode = p.inbound_sa != nullptr ? p.inbound_sa->mode : Mode::any;
    return unwrap(p, mode, p.payload(), static_cast<unsigned>(text.octets.size()), header.next_header);
}

}  // namespace

void open_ipcomp(Deflate& deflate, Notices& notices, Batch& batch) {
    Batch counted;
    for (Packet& p : batch.live())
        if (p.inbound_sa != nullptr) counted.add(p);
    check_replay(notices, counted);  // no sequence numbers and no window, but lifetimes
    commit_replay(notices, counted);
    for (Packet& p : batch.live()) {
        if (const Drop reason = decompress(deflate, p); reason != Drop::none) Batch::drop(p, reason);
        p.arrival = Arrival::outside;
    }
}

}  // namespace torii
