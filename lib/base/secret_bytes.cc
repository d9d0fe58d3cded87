#include "base/secret_bytes.h"

#include <cstring>

namespace torii {

void wipe(std::span<std::byte> octets) {
    if (!octets.empty()) explicit_bzero(octets.data(), octets.size());
}

bool SecretBytes::same_as(const SecretBytes& other) const {
    if (size() != other.size()) return false;
    std::byte difference{0};
    for (std::size_t i = 0; i < size(); ++i) difference |= octets_[i] ^ other.octets_[i];
    return difference == std::byte{0};
}

}  // namespace torii
