#include "ike/v2/int_auth.h"

#include <algorithm>

#include "base/reader.h"

namespace torii::ike {

namespace {

constexpr std::size_t next_payload_at = 16, length_at = 24;  // in the header (RFC 7296 3.1)
constexpr std::size_t fragment_numbers_octets = 4;           // behind SKF's own header (RFC 7383 2.5)

void put(Octets& out, std::size_t at, std::uint64_t value, std::size_t octets) {
    for (std::size_t i = 0; i < octets; ++i) out[at + i] = static_cast<std::byte>(value >> 8 * (octets - 1 - i));
}

}  // namespace

Octets front_of(const Split& taken) {
    const auto& encrypted = *taken.encrypted;
    Octets out(encrypted.associated.begin(), encrypted.associated.end());
    if (encrypted.fragments == 0) return out;
    // As if it had come whole: whatever names SKF as what follows names SK then, and no fragment has a number.
    out.resize(out.size() - fragment_numbers_octets);
    std::size_t naming = next_payload_at;
    for (std::size_t at = header_octets; at < header_octets + taken.clear.size();) {
        naming = at;
        Reader length{OctetView{out}.subspan(at + 2, 2)};
        at += *length.u16();
    }
    out[naming] = static_cast<std::byte>(PayloadType::encrypted);
    return out;
}

Octets front_of(const Header& header, PayloadType inner_first) {
    Octets out;
    write_header(out, header, PayloadType::encrypted, 0);
    Writer{out}.u8(static_cast<std::uint8_t>(inner_first)).zeros(3);
    return out;
}

Octets covered_octets(Octets front, OctetView inner) {
    const std::size_t sk_length_at = front.size() - 2;
    put(front, sk_length_at, payload_header_octets + inner.size(), 2);
    front.insert(front.end(), inner.begin(), inner.end());
    put(front, length_at, front.size(), 4);
    return front;
}

Result<void> IntAuth::add(CryptoContext& context, PrfId id, OctetView sk_p, OctetView covered, Octets& chain) {
    TORII_TRY(const SecretBytes next, prf(context, id, sk_p, {chain, covered}));
    chain.assign(next.octets().begin(), next.octets().end());
    return {};
}

Octets IntAuth::octets(std::uint32_t auth_message_id) const {
    Octets out;
    if (initiator.empty()) return out;
    Writer{out}.put(initiator).put(responder).u32(auth_message_id);
    return out;
}

}  // namespace torii::ike
