// A datagram on the IKE port: whatever it holds, it is taken apart or refused with a reason; and what was understood of
// it, built again, is understood in the same way.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "ike/message/message.h"

namespace {

using namespace torii::ike;

/// Of attributes that we do not know nothing is kept but that there were some: built again they are gone.
Payloads without_unknown_attributes(Payloads payloads) {
    for (Payload& payload : payloads)
        if (auto* const sa = std::get_if<Sa>(&payload))
            for (Proposal& proposal : sa->proposals)
                for (Transform& transform : proposal.transforms) transform.understood = true;
    return payloads;
}

void check(const Payloads& payloads) {
    if (payloads.size() > limits::payloads) std::abort();
    const Octets again = build_payloads(payloads);
    const auto parsed = parse_payloads(payloads.empty() ? PayloadType::none : type_of(payloads.front()), again);
    if (!parsed || *parsed != without_unknown_attributes(payloads)) std::abort();
    if (build_payloads(*parsed) != again) std::abort();
    const std::string line = brief(payloads), lines = in_full(payloads);
    for (const char c : lines)
        if (c != '\n' && (c < 0x20 || c > 0x7e)) std::abort();
    if (payloads.empty() != line.empty()) std::abort();
}

template <class T>
bool refused(const Parsed<T>& parsed) {
    if (!parsed && parsed.error().why.empty()) std::abort();
    return !parsed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    const auto* const at = reinterpret_cast<const std::byte*>(octets);
    std::vector<std::byte> datagram(at, at + count);
    if (count >= header_octets)  // no fuzzer keeps a length right
        for (std::size_t i = 0; i < 4; ++i) datagram[24 + i] = static_cast<std::byte>(count >> (24 - 8 * i));
    const auto parts = split(datagram);
    if (refused(parts)) return 0;
    const auto header = parse_header(datagram);
    if (!header || *header != parts->header) std::abort();
    if (const auto payloads = parse_payloads(parts->first, parts->clear); !refused(payloads)) {
        check(*payloads);
        if (!parts->encrypted) {
            const Octets again = build_message(parts->header, *payloads);
            const auto second = split(again);
            if (!second || second->header != parts->header) std::abort();
        }
    }
    if (parts->encrypted) {
        const auto& [inner_first, associated, body, fragment, fragments] = *parts->encrypted;
        if (associated.size() + body.size() != datagram.size() || fragment > fragments) std::abort();
        // as if the cipher were none: what an authentic peer may have put inside
        if (const auto payloads = parse_payloads(inner_first, body); !refused(payloads)) check(*payloads);
    }
    return 0;
}
