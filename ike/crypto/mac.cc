#include "ike/crypto/mac.h"

#include <algorithm>
#include <array>
#include <optional>

#include "ike/crypto/openssl.h"

namespace torii::ike {
namespace {

/// EVP's MAC `name` with its one parameter set to `value`; no key: that of before.
Result<SecretBytes> compute(CryptoContext& context, const char* name, const char* parameter, const char* value,
                            std::optional<OctetView> key, std::span<const OctetView> parts) {
    EVP_MAC_CTX* const mac = context.mac(name, parameter, value);
    static constexpr unsigned char empty[1]{};  // a null pointer is EVP's word for the key of before
    const unsigned char* const key_octets = !key ? nullptr : key->empty() ? empty : octets(key->data());
    bool well = mac != nullptr && EVP_MAC_init(mac, key_octets, key ? key->size() : 0, nullptr) == 1;
    for (const OctetView part : parts) well = well && EVP_MAC_update(mac, octets(part.data()), part.size()) == 1;
    std::size_t written = 0;
    SecretBytes out{well ? EVP_MAC_CTX_get_mac_size(mac) : 0};
    if (!well || EVP_MAC_final(mac, octets(out.octets().data()), &written, out.size()) != 1 || written != out.size())
        return openssl_failed(std::string{"compute "} + name + " with " + value);
    return out;
}

using Block = std::array<std::byte, xcbc_octets>;

/// AES-128 in CBC mode from a block of zeros on; `text` is whole blocks and becomes the ciphertext.
bool chain(const EVP_CIPHER* cipher, OctetView key, std::span<std::byte> text) {
    const CipherContext context{EVP_CIPHER_CTX_new()};
    const Block zeros{};
    int written = 0;
    return context &&
           EVP_EncryptInit_ex2(context.get(), cipher, octets(key.data()), octets(zeros.data()), nullptr) == 1 &&
           EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
           EVP_EncryptUpdate(context.get(), octets(text.data()), &written, octets(text.data()),
                             static_cast<int>(text.size())) == 1 &&
           written == static_cast<int>(text.size());
}

}  // namespace

Result<SecretBytes> hmac(CryptoContext& context, const char* digest, OctetView key, std::span<const OctetView> parts) {
    return compute(context, "HMAC", OSSL_MAC_PARAM_DIGEST, digest, key, parts);
}

Result<SecretBytes> hmac_again(CryptoContext& context, const char* digest, std::span<const OctetView> parts) {
    return compute(context, "HMAC", OSSL_MAC_PARAM_DIGEST, digest, {}, parts);
}

Result<SecretBytes> cmac(CryptoContext& context, OctetView key, std::span<const OctetView> parts) {
    return compute(context, "CMAC", OSSL_MAC_PARAM_CIPHER, "AES-128-CBC", key, parts);
}

Result<SecretBytes> xcbc(CryptoContext& context, OctetView key, std::span<const OctetView> parts) {
    const EVP_CIPHER* const cipher = context.cipher("AES-128-CBC");
    if (cipher == nullptr || key.size() != xcbc_octets) return openssl_failed("compute AES-XCBC");
    std::array<SecretBytes, 3> subkeys;  // K1 for the blocks, K2 or K3 for the last of them
    for (std::size_t i = 0; i < subkeys.size(); ++i) {
        subkeys[i] = SecretBytes{xcbc_octets};
        std::ranges::fill(subkeys[i].octets(), static_cast<std::byte>(i + 1));
        if (!chain(cipher, key, subkeys[i].octets())) return openssl_failed("compute AES-XCBC");
    }

    std::size_t size = 0;
    for (const OctetView part : parts) size += part.size();
    const bool whole = size != 0 && size % xcbc_octets == 0;
    SecretBytes text{whole ? size : (size / xcbc_octets + 1) * xcbc_octets};
    auto at = text.octets().begin();
    for (const OctetView part : parts) at = std::ranges::copy(part, at).out;
    if (!whole) *at = std::byte{0x80};
    const auto last = text.octets().last(xcbc_octets);
    const auto mask = subkeys[whole ? 1 : 2].octets();
    for (std::size_t i = 0; i < xcbc_octets; ++i) last[i] ^= mask[i];
    if (!chain(cipher, subkeys[0].octets(), text.octets())) return openssl_failed("compute AES-XCBC");
    return SecretBytes{OctetView{last}};
}

}  // namespace torii::ike
