// The policies of sockets: as the text of ipsec_set_policy(3), and as the octets that programs hand on. What is taken
// either way means the same in the other.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "socket/policy_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    using namespace torii::socket_policy;
    const auto* const at = reinterpret_cast<const std::byte*>(octets);
    const std::vector<std::byte> exact(at, at + count);
    if (exact.size() >= 16) (void)octets_of(std::span{exact}.first<16>());
    if (const auto decoded = decode(exact)) {
        const auto again = decode(encode(*decoded));
        if (!again || *again != *decoded) std::abort();
    }
    const std::string text{reinterpret_cast<const char*>(octets), count};
    const auto parsed = parse(text);
    if (!parsed) return 0;
    const auto carried = decode(encode(*parsed));
    if (!carried || *carried != *parsed) std::abort();
    const auto told = parse(text_of(*parsed, " "));
    if (!told || *told != *parsed) std::abort();
    return 0;
}
