#include "ike/crypto/prf.h"

#include <algorithm>
#include <array>

#include "ike/crypto/mac.h"

namespace torii::ike {
namespace {

constexpr std::size_t most_blocks = 255;  // the counter of prf+ is one octet (2.13)

/// The SPIs and other numbers go into PRFs in network order.
std::array<std::byte, 8> in_network_order(std::uint64_t number) {
    std::array<std::byte, 8> out;
    for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<std::byte>(number >> (56 - 8 * i));
    return out;
}

/// Cuts key material in the order in which it is asked for.
class Cutter {
public:
    explicit Cutter(OctetView material) : rest_(material) {}
    SecretBytes take(std::size_t octets) {
        SecretBytes out{rest_.first(octets)};
        rest_ = rest_.subspan(octets);
        return out;
    }

private:
    OctetView rest_;
};

struct KeySizes {
    std::size_t encr, integ, prf;
};
Result<KeySizes> key_sizes(const Suite& suite) {
    const EncrInfo* const encr = find(suite.encr, suite.encr_key_bits);
    if (encr == nullptr) return fail(Errc::unsupported, name_of(suite.encr) + " is none of our ciphers");
    std::size_t integ_octets = 0;
    if (suite.integ != IntegId::none) {
        const IntegInfo* const integ = find(suite.integ);
        if (integ == nullptr) return fail(Errc::unsupported, name_of(suite.integ) + " is none of our integrities");
        integ_octets = integ->key_octets;
    }
    const PrfInfo* const prf = find(suite.prf);
    return KeySizes{.encr = static_cast<std::size_t>(encr->key_octets) + encr->salt_octets,
                    .integ = integ_octets,
                    .prf = prf == nullptr ? std::size_t{0} : prf->output_octets};
}

/// {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr)   (2.14)
Result<IkeKeys> expand(CryptoContext& context, const Suite& suite, const SecretBytes& skeyseed,
                       const IkeKeyInput& input) {
    TORII_TRY(const KeySizes sizes, key_sizes(suite));
    if (sizes.prf == 0) return fail(Errc::unsupported, name_of(suite.prf) + " is none of our PRFs");
    const auto spi_initiator = in_network_order(input.spi_initiator);
    const auto spi_responder = in_network_order(input.spi_responder);
    TORII_TRY(const SecretBytes material,
              prf_plus(context, suite.prf, skeyseed.octets(),
                       {input.nonce_initiator, input.nonce_responder, spi_initiator, spi_responder},
                       3 * sizes.prf + 2 * sizes.integ + 2 * sizes.encr));
    Cutter cutter{material.octets()};
    IkeKeys keys;
    keys.d = cutter.take(sizes.prf);
    keys.ai = cutter.take(sizes.integ);
    keys.ar = cutter.take(sizes.integ);
    keys.ei = cutter.take(sizes.encr);
    keys.er = cutter.take(sizes.encr);
    keys.pi = cutter.take(sizes.prf);
    keys.pr = cutter.take(sizes.prf);
    return keys;
}

/// Of an HMAC. Null: it is none.
const char* digest_of(PrfId id) {
    switch (id) {
        case PrfId::hmac_sha1: return "SHA1";
        case PrfId::hmac_sha2_256: return "SHA256";
        case PrfId::hmac_sha2_384: return "SHA384";
        case PrfId::hmac_sha2_512: return "SHA512";
        case PrfId::aes128_xcbc: break;
    }
    return nullptr;
}

}  // namespace

Result<SecretBytes> prf(CryptoContext& context, PrfId id, OctetView key, std::initializer_list<OctetView> parts) {
    if (find(id) == nullptr) return fail(Errc::unsupported, name_of(id) + " is none of our PRFs");
    const std::span<const OctetView> views{parts.begin(), parts.size()};
    if (const char* const digest = digest_of(id)) return hmac(context, digest, key, views);
    if (key.size() == xcbc_octets) return xcbc(context, key, views);
    // RFC 4434 2: shorter keys are filled with zeros, longer ones go through XCBC under a key of zeros.
    SecretBytes fitting{xcbc_octets};
    if (key.size() < xcbc_octets) {
        std::ranges::copy(key, fitting.octets().begin());
    } else {
        TORII_TRY(fitting, xcbc(context, fitting.octets(), std::span{&key, 1}));
    }
    return xcbc(context, fitting.octets(), views);
}

Result<SecretBytes> prf_plus(CryptoContext& context, PrfId id, OctetView key, std::initializer_list<OctetView> parts,
                             std::size_t octets) {
    const PrfInfo* const info = find(id);
    if (info == nullptr) return fail(Errc::unsupported, name_of(id) + " is none of our PRFs");
    if (octets > most_blocks * info->output_octets)
        return fail(Errc::internal, "prf+ of " + name_of(id) + " ends before " + std::to_string(octets) + " octets");
    std::size_t parts_octets = 0;
    for (const OctetView part : parts) parts_octets += part.size();
    SecretBytes seed{parts_octets};
    auto at = seed.octets().begin();
    for (const OctetView part : parts) at = std::ranges::copy(part, at).out;

    const char* const digest = digest_of(id);
    SecretBytes out{octets}, block;
    for (std::size_t done = 0, count = 1; done < octets; ++count) {  // T(n) = prf(K, T(n-1) | S | n)
        const auto number = static_cast<std::byte>(count);
        const auto parts_now = {OctetView{block.octets()}, OctetView{seed.octets()}, OctetView{&number, 1}};
        TORII_TRY(block, count > 1 && digest != nullptr ? hmac_again(context, digest, parts_now)
                                                        : prf(context, id, key, parts_now));
        const std::size_t now = std::min(octets - done, block.size());
        std::ranges::copy(block.octets().first(now), out.octets().begin() + static_cast<std::ptrdiff_t>(done));
        done += now;
    }
    return out;
}

IkeKeys IkeKeys::duplicate() const {
    return {.d = d.duplicate(),
            .ai = ai.duplicate(),
            .ar = ar.duplicate(),
            .ei = ei.duplicate(),
            .er = er.duplicate(),
            .pi = pi.duplicate(),
            .pr = pr.duplicate()};
}

Result<IkeKeys> derive_ike_keys(CryptoContext& context, const Suite& suite, const IkeKeyInput& input) {
    // 2.14: of AES-XCBC-PRF-128 half of the key comes from each nonce, for old times' sake.
    const bool halves = suite.prf == PrfId::aes128_xcbc;
    const auto half = [&](OctetView nonce) {
        return halves ? nonce.first(std::min(nonce.size(), xcbc_octets / 2)) : nonce;
    };
    const OctetView ni = half(input.nonce_initiator), nr = half(input.nonce_responder);
    SecretBytes nonces{ni.size() + nr.size()};
    std::ranges::copy(nr, std::ranges::copy(ni, nonces.octets().begin()).out);
    TORII_TRY(const SecretBytes skeyseed, prf(context, suite.prf, nonces.octets(), {input.shared_secret}));
    return expand(context, suite, skeyseed, input);
}

Result<IkeKeys> derive_rekeyed_ike_keys(CryptoContext& context, const Suite& suite, PrfId old_prf, OctetView old_d,
                                        const IkeKeyInput& input) {
    TORII_TRY(const SecretBytes skeyseed,
              prf(context, old_prf, old_d,
                  {input.shared_secret, input.nonce_initiator, input.nonce_responder, input.further_secrets}));
    return expand(context, suite, skeyseed, input);
}

Result<ChildKeys> derive_child_keys(CryptoContext& context, PrfId prf, OctetView sk_d, const Suite& suite,
                                    OctetView shared_secret, OctetView nonce_initiator, OctetView nonce_responder,
                                    OctetView further_secrets) {
    TORII_TRY(const KeySizes sizes, key_sizes(suite));
    TORII_TRY(const SecretBytes material,
              prf_plus(context, prf, sk_d, {shared_secret, nonce_initiator, nonce_responder, further_secrets},
                       2 * (sizes.encr + sizes.integ)));
    Cutter cutter{material.octets()};  // first what the initiator sends, encryption before integrity (2.17)
    ChildKeys keys;
    keys.initiator_cipher = cutter.take(sizes.encr);
    keys.initiator_auth = cutter.take(sizes.integ);
    keys.responder_cipher = cutter.take(sizes.encr);
    keys.responder_auth = cutter.take(sizes.integ);
    return keys;
}

}  // namespace torii::ike
