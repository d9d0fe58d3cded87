// DEFLATE data of strangers, within any limit; and that what we compress is what comes out again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "ipcomp/deflate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    static torii::Deflate deflate;
    if (count < 2) return 0;
    const std::size_t limit = octets[0] << 8 | octets[1];
    const auto* const at = reinterpret_cast<const std::byte*>(octets);
    const std::vector<std::byte> exact(at + 2, at + count);
    const auto text = deflate.decompress(exact, limit);
    if (text.octets.size() > limit || (text.too_long && !text.octets.empty())) std::abort();
    const auto packed = deflate.compress(exact, limit);
    if (!packed) return 0;
    if (packed->size() >= limit) std::abort();
    const std::vector<std::byte> wire(packed->begin(), packed->end());
    if (!std::ranges::equal(deflate.decompress(wire, exact.size()).octets, exact)) std::abort();
    return 0;
}
