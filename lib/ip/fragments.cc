#include "ip/fragments.h"

#include <algorithm>
#include <bitset>

#include "ip/ip.h"

namespace torii {

// ---- cutting

namespace {

constexpr std::uint8_t copied_flag = 0x80;  // RFC 791 3.1: options that every fragment repeats

/// The header at `ip` as later fragments carry it: options without the copied flag left out. Returns its octets.
unsigned later_header(const std::byte* ip, unsigned octets, std::byte* out) {
    std::memcpy(out, ip, sizeof(Ipv4Header));
    unsigned to = sizeof(Ipv4Header);
    for (unsigned i = sizeof(Ipv4Header); i < octets;) {
        const auto option = std::to_integer<std::uint8_t>(ip[i]);
        if (option == 0) break;
        const unsigned length = option == 1 ? 1 : std::to_integer<unsigned>(ip[i + 1]);
        if (option & copied_flag) {
            std::memcpy(out + to, ip + i, length);
            to += length;
        }
        i += length;
    }
    while (to % 4 != 0) out[to++] = std::byte{0};
    reinterpret_cast<Ipv4Header*>(out)->version_ihl = static_cast<std::uint8_t>(0x40 | to / 4);
    return to;
}

}  // namespace

FragmentCutter::FragmentCutter(const Packet& packet, unsigned mtu, std::uint32_t identification)
    : packet_(packet), mtu_(mtu), payload_octets_(packet.payload_octets()), identification_(identification) {
    if (packet.family == Family::ipv4) {
        first_ = packet.ip;
        first_octets_ = packet.ip_header_octets;
        later_octets_ = later_header(packet.ip, packet.ip_header_octets, later_.data());
        return;
    }
    place_ = ipsec_place(packet);
    payload_octets_ = packet.ip_octets - place_.header_octets;
    std::memcpy(later_.data(), packet.ip, place_.header_octets);
    later_[place_.next_header_at] = std::byte{static_cast<std::uint8_t>(IpProtocol::fragment)};
    first_ = later_.data();
    first_octets_ = later_octets_ = place_.header_octets + unsigned{sizeof(FragmentHeader)};
}

unsigned FragmentCutter::next(std::byte* out) {
    const unsigned header = at_ == 0 ? first_octets_ : later_octets_;
    const unsigned room = (mtu_ - header) & ~7u;
    const unsigned left = payload_octets_ - at_;
    const bool last = left <= mtu_ - header;
    const unsigned piece = last ? left : room;
    std::memcpy(out, at_ == 0 ? first_ : later_.data(), header);
    std::memcpy(out + header, packet_.ip + packet_.ip_octets - left, piece);
    if (packet_.family == Family::ipv4)
        finish_ipv4(out, header + piece, last);
    else
        finish_ipv6(out, header + piece, last);
    at_ += piece;
    return header + piece;
}

void FragmentCutter::finish_ipv4(std::byte* out, unsigned octets, bool last) const {
    auto& ip = *reinterpret_cast<Ipv4Header*>(out);
    const std::uint16_t whole = packet_.ipv4().flags_offset;  // of the packet, which may be a fragment itself
    const bool more = !last || (whole & Ipv4Header::more_fragments) != 0;
    ip.flags_offset = static_cast<std::uint16_t>((whole & Ipv4Header::offset_mask) + at_ / 8 +
                                                 (more ? Ipv4Header::more_fragments : 0));
    ip.total_octets = static_cast<std::uint16_t>(octets);
    ip.checksum = 0;
    ip.checksum = internet_checksum(out, ip.header_octets());
}

void FragmentCutter::finish_ipv6(std::byte* out, unsigned octets, bool last) const {
    const FragmentHeader header{.next_header = place_.protocol,
                                .reserved = 0,
                                .offset_more = static_cast<std::uint16_t>(at_ | (last ? 0 : 1)),
                                .identification = identification_};
    std::memcpy(out + place_.header_octets, &header, sizeof header);
    reinterpret_cast<Ipv6Header*>(out)->payload_octets = static_cast<std::uint16_t>(octets - sizeof(Ipv6Header));
}

// ---- putting together

namespace {

constexpr unsigned block_octets = 8;
constexpr unsigned payload_at = RTE_PKTMBUF_HEADROOM + 256;  // in a large mbuf: headroom, and the longest IP header
static_assert(payload_at + longest_reassembled <= large_room && longest_ip_header <= 256);
constexpr std::uint8_t congestion = 3;

/// A fragment in either family's words.
struct Piece {
    const std::byte* payload;
    unsigned octets, from;
    bool last;
    unsigned header_octets;  // what stands in front of all of its packet's fragments
};

const FragmentHeader& fragment_header(const Packet& p) {
    return *reinterpret_cast<const FragmentHeader*>(p.ip + p.fragment_at);
}

Piece piece_of(const Packet& p) {
    if (p.family == Family::ipv6) {
        const unsigned head = p.fragment_at + unsigned{sizeof(FragmentHeader)};
        const FragmentHeader& fragment = fragment_header(p);
        return {p.ip + head, p.ip_octets - head, fragment.offset_octets(), fragment.is_last(), p.fragment_at};
    }
    const std::uint16_t flags_offset = p.ipv4().flags_offset;
    return {p.payload(), p.payload_octets(), (flags_offset & Ipv4Header::offset_mask) * block_octets,
            (flags_offset & Ipv4Header::more_fragments) == 0, p.ip_header_octets};
}

/// The octet that names what follows the headers in front of the fragment header.
unsigned names_fragment_at(const Packet& p) {
    unsigned at = offsetof(Ipv6Header, next_header);
    for (unsigned next = sizeof(Ipv6Header); next < p.fragment_at;) {
        at = next;
        next += reinterpret_cast<const ExtensionHeader*>(p.ip + next)->octets();
    }
    return at;
}

}  // namespace

struct Reassembler::Place {
    FragmentKey key;
    rte_mbuf* mbuf = nullptr;                 // null: the place is free
    std::bitset<65536 / block_octets> known;  // blocks of the payload that are there
    unsigned known_blocks = 0;
    unsigned payload_octets = 0;  // 0 until the last fragment tells
    unsigned highest_octet = 0;   // of what is there
    Packet first;                 // the first fragment but for its octets, which are in `header` and behind payload()
    std::array<std::byte, longest_ip_header> header;
    unsigned header_octets = 0;      // of what the whole packet keeps of `header`; 0 until the first fragment is there
    unsigned first_octets = 0;       // of payload in the first fragment
    unsigned names_fragment_at = 0;  // IPv6: in `header`
    unsigned fragments = 0;
    bool congested = false;
    std::uint32_t since_seconds = 0;

    std::byte* payload() const { return static_cast<std::byte*>(mbuf->buf_addr) + payload_at; }
    bool is_whole() const {
        return header_octets != 0 && payload_octets != 0 &&
               known_blocks == (payload_octets + block_octets - 1) / block_octets;
    }
};

Reassembler::Reassembler(rte_mempool& pool, unsigned places) : pool_(pool), places_(places) {}

Reassembler::~Reassembler() {
    for (Place& place : places_) rte_pktmbuf_free(place.mbuf);
}

FragmentKey key_of_fragment(const Packet& p) {
    const bool ipv4 = p.family == Family::ipv4;
    return {.source = p.source(),
            .destination = p.destination(),
            .identification = ipv4 ? p.ipv4().identification.value() : fragment_header(p).identification.value(),
            .protocol = ipv4 ? p.protocol : std::uint8_t{0},
            .arrival = p.arrival,
            .serial = p.opened != 0 ? p.used[p.opened - 1u]->serial : 0};
}

bool Reassembler::add(Packet& p, std::uint32_t now_seconds) {
    const FragmentKey key = key_of_fragment(p);
    Place* place = find(key);
    if (place == nullptr) place = begin(key, now_seconds);
    if (place == nullptr) {
        Batch::drop(p, Drop::no_buffer);
        return false;
    }
    if (const Drop reason = store(*place, p); reason != Drop::none) {
        Batch::drop(p, reason);
        if (reason != Drop::fragment_repeated) give_up(*place, abandoned_.spoiled);
        return false;
    }
    rte_pktmbuf_free(std::exchange(p.mbuf, nullptr));
    if (!place->is_whole()) return false;
    if (const Drop reason = finish(*place, p); reason != Drop::none) Batch::drop(p, reason);
    return p.drop == Drop::none;
}

Reassembler::Place* Reassembler::find(const FragmentKey& key) {
    for (Place& place : places_)
        if (place.mbuf != nullptr && place.key == key) return &place;
    return nullptr;
}

/// A place for a new packet: a free one, else that of the oldest; of the source's own oldest if it has its share.
Reassembler::Place* Reassembler::begin(const FragmentKey& key, std::uint32_t now_seconds) {
    Place *free = nullptr, *oldest = nullptr, *own_oldest = nullptr;
    std::size_t own = 0;
    const auto older = [](const Place& a, const Place* b) {
        return b == nullptr || a.since_seconds < b->since_seconds;
    };
    for (Place& place : places_) {
        if (place.mbuf == nullptr) {
            free = &place;
            continue;
        }
        if (older(place, oldest)) oldest = &place;
        if (place.key.source != key.source) continue;
        ++own;
        if (older(place, own_oldest)) own_oldest = &place;
    }
    Place* chosen = own >= std::max<std::size_t>(places_.size() / 8, 1) ? own_oldest : free != nullptr ? free : oldest;
    if (chosen->mbuf != nullptr) give_up(*chosen, abandoned_.timed_out);
    chosen->mbuf = rte_pktmbuf_alloc(&pool_);
    if (chosen->mbuf == nullptr) return nullptr;
    chosen->key = key;
    chosen->since_seconds = now_seconds;
    in_use_.add(1);
    return chosen;
}

/// Copies the fragment's payload to where it belongs. What overlaps what is there spoils the packet (RFC 5722, RFC
/// 1858), unless it is the same fragment over again (RFC 8200 4.5).
Drop Reassembler::store(Place& place, const Packet& p) const {
    const auto [payload, octets, from, last, header_octets] = piece_of(p);
    const unsigned to = from + octets;
    if (to > longest_reassembled) return Drop::reassembled_too_big;
    if (octets == 0 || (!last && octets % block_octets != 0)) return Drop::bad_fragment;
    const unsigned first_block = from / block_octets, end_block = (to + block_octets - 1) / block_octets;
    unsigned there = 0;
    for (unsigned block = first_block; block < end_block; ++block) there += place.known[block];
    if (there == end_block - first_block && to <= place.highest_octet &&
        std::memcmp(place.payload() + from, payload, octets) == 0 && (!last || place.payload_octets == to))
        return Drop::fragment_repeated;
    const bool beyond_the_end = place.payload_octets != 0 && (last || to > place.payload_octets);
    if (there != 0 || beyond_the_end || (last && place.highest_octet > to)) return Drop::fragment_overlap;

    std::memcpy(place.payload() + from, payload, octets);
    for (unsigned block = first_block; block < end_block; ++block) place.known.set(block);
    place.known_blocks += end_block - first_block;
    place.highest_octet = std::max(place.highest_octet, to);
    if (last) place.payload_octets = to;
    if (from == 0) {
        place.first = p;
        place.header_octets = header_octets;
        place.first_octets = octets;
        if (p.family == Family::ipv6) place.names_fragment_at = names_fragment_at(p);
        std::memcpy(place.header.data(), p.ip, static_cast<std::size_t>(payload - p.ip));
    }
    place.congested |= (dscp_ecn(p) & congestion) == congestion;
    ++place.fragments;
    return Drop::none;
}

/// `p` becomes the whole packet; what it knew of how it came here stays. A whole IPv6 packet is judged anew: headers
/// may have come behind the fragment header.
Drop Reassembler::finish(Place& place, Packet& p) {
    p.mbuf = std::exchange(place.mbuf, nullptr);
    p.ip_header_octets = static_cast<std::uint8_t>(place.header_octets);
    p.ip_octets = static_cast<std::uint16_t>(place.header_octets + place.payload_octets);
    p.ip = static_cast<std::byte*>(p.mbuf->buf_addr) + payload_at - place.header_octets;
    p.fragment = false;
    std::memcpy(p.ip, place.header.data(), place.header_octets);
    if (p.family == Family::ipv6) p.ip[place.names_fragment_at] = place.header[place.header_octets];
    const bool mark = place.congested && (dscp_ecn(p) & congestion) != 0;  // RFC 3168 5.3
    clear(place);
    if (p.family == Family::ipv6) {
        if (mark) set_dscp_ecn(p, dscp_ecn(p) | congestion);
        p.ipv6().payload_octets = static_cast<std::uint16_t>(p.ip_octets - sizeof(Ipv6Header));
        return parse_ipv6(p, p.ip_octets);
    }
    Ipv4Header& ip = p.ipv4();
    ip.total_octets = p.ip_octets;
    ip.flags_offset = 0;
    if (mark) ip.dscp_ecn |= congestion;
    ip.checksum = 0;
    ip.checksum = internet_checksum(p.ip, p.ip_header_octets);
    return Drop::none;
}

void Reassembler::expire(std::uint32_t now_seconds, const std::function<void(Packet&)>& tell) {
    for (Place& place : places_) {
        const auto waited = static_cast<std::int32_t>(now_seconds - place.since_seconds);  // below 0: time went back
        if (place.mbuf == nullptr || waited < static_cast<std::int32_t>(timeout_seconds)) continue;
        if (place.header_octets != 0) {
            Packet first = first_fragment(place);
            --place.fragments;
            tell(first);
        }
        give_up(place, abandoned_.timed_out);
    }
}

/// Takes the first fragment out of the buffer in which its packet was to become whole.
Packet Reassembler::first_fragment(Place& place) {
    Packet first = place.first;
    const unsigned header_octets = first.ip_octets - place.first_octets;
    first.mbuf = std::exchange(place.mbuf, nullptr);
    first.ip = static_cast<std::byte*>(first.mbuf->buf_addr) + payload_at - header_octets;
    std::memcpy(first.ip, place.header.data(), header_octets);
    return first;
}

void Reassembler::give_up(Place& place, std::uint64_t& count) {
    count += place.fragments;
    rte_pktmbuf_free(std::exchange(place.mbuf, nullptr));
    clear(place);
}

void Reassembler::clear(Place& place) {
    place = Place{};
    in_use_.set(in_use_.read() - 1);
}

}  // namespace torii
