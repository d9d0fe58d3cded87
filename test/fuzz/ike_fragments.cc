// Fragments of encrypted messages in any order, number and size, against the plainest account of what they make up.
#include <cstdint>
#include <cstdlib>
#include <map>

#include "ike/message/fragments.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    using namespace torii::ike;
    using Taken = FragmentAssembly::Taken;
    FragmentAssembly assembly;
    std::map<unsigned, Octets> parts;  // of the message under way
    unsigned message = 0, total = 0;
    std::size_t sum = 0;
    bool complete = false;
    // each fragment: message id, number, total, size in units of 256 octets; together one octet's values of each
    for (std::size_t at = 0; at + 4 <= count; at += 4) {
        const unsigned id = octets[at] & 3, number = octets[at + 1], of = octets[at + 2];
        const Octets part(octets[at + 3] * 256u, static_cast<std::byte>(at));
        const bool afresh = total == 0 || id != message || of > total;
        const Taken taken = assembly.add(id, static_cast<std::uint16_t>(number), static_cast<std::uint16_t>(of),
                                         PayloadType{static_cast<std::uint8_t>(number)}, part);
        Taken wanted = Taken::waiting;
        if (number == 0 || number > of || of > FragmentAssembly::most_fragments || (!afresh && of < total)) {
            wanted = Taken::refused;
        } else {
            if (afresh) {
                parts.clear();
                message = id;
                total = of;
                sum = 0;
                complete = false;
            }
            if (parts.contains(number)) {
                wanted = Taken::duplicate;
            } else if (sum + part.size() > FragmentAssembly::most_octets) {
                wanted = Taken::refused;
            } else {
                parts[number] = part;
                sum += part.size();
                complete = parts.size() == total;
                if (complete) wanted = Taken::complete;
            }
        }
        if (taken != wanted) std::abort();
        if (octets[at] & 0x80) {  // the receiver takes what there is
            Octets whole;
            if (complete)
                for (const auto& [_, octets_of] : parts) whole.insert(whole.end(), octets_of.begin(), octets_of.end());
            const auto got = assembly.take();
            if (got.payloads != whole || got.first != (complete ? PayloadType{1} : PayloadType::none)) std::abort();
            parts.clear();
            total = 0;
            sum = 0;
            complete = false;
        }
    }
    return 0;
}
