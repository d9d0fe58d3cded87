#include "crypto/iv_source.h"

#include <openssl/rand.h>

#include <cassert>
#include <stdexcept>

#include "base/secret_bytes.h"

namespace torii {

IvSource::IvSource() : stream_(EVP_CIPHER_CTX_new()) {
    std::array<unsigned char, 48> seed;  // key and first counter
    const bool keyed =
        stream_ && RAND_bytes(seed.data(), seed.size()) == 1 &&
        EVP_EncryptInit_ex2(stream_.get(), EVP_aes_256_ctr(), seed.data(), seed.data() + 32, nullptr) == 1;
    wipe(std::as_writable_bytes(std::span{seed}));
    if (!keyed) throw std::runtime_error("the operating system gave no random octets");
}

IvSource::~IvSource() { wipe(page_); }

std::span<const std::byte> IvSource::take(std::size_t octets) {
    assert(octets <= most_octets);
    if (page_.size() - used_ < octets) [[unlikely]]
        refill();
    used_ += octets;
    return std::span{page_}.subspan(used_ - octets, octets);
}

void IvSource::refill() {
    page_.fill(std::byte{0});
    auto* const page = reinterpret_cast<unsigned char*>(page_.data());
    int written = 0;
    // A failure here would repeat IVs: better no worker than that.
    if (EVP_EncryptUpdate(stream_.get(), page, &written, page, static_cast<int>(page_.size())) != 1) std::abort();
    used_ = 0;
}

}  // namespace torii
