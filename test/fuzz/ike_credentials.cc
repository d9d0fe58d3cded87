// Who a peer says he is: certificates, identities, psk.txt and AUTH data are read or refused, nothing else, and no AUTH
// data that the fuzzer makes up is a signature of the fixed keys. The first octet says which of them the rest is.
#include <openssl/evp.h>

#include <cstdint>
#include <cstdlib>

#include "ike/credentials/certificates.h"
#include "ike/credentials/shared_keys.h"

using namespace torii;
using namespace torii::ike;

namespace {

CryptoContext& context() {
    static const auto made = CryptoContext::deterministic(1);
    return **made;
}
std::vector<PublicKey> fixed_keys() {
    auto* const library = context().library();
    const auto owned = [](EVP_PKEY* key) { return PublicKey{std::shared_ptr<EVP_PKEY>{key, EVP_PKEY_free}}; };
    return {owned(EVP_PKEY_Q_keygen(library, nullptr, "EC", "P-256")),
            owned(EVP_PKEY_Q_keygen(library, nullptr, "ED25519")),
            owned(EVP_PKEY_Q_keygen(library, nullptr, "RSA", std::size_t{2048}))};
}

void want(bool good) {
    if (!good) std::abort();
}
void want_one_line(const std::string& text) {
    for (const char c : text) want(c >= ' ' && c < '\x7f');
}

void identity(OctetView octets) {
    for (const IdType type : {IdType::ipv4_addr, IdType::fqdn, IdType::rfc822_addr, IdType::ipv6_addr,
                              IdType::der_asn1_dn, IdType::der_asn1_gn, IdType::key_id}) {
        const Id id{type, {octets.begin(), octets.end()}};
        want_one_line(text_of(id));
        matches(id, id);
    }
    const auto words = parse_id({reinterpret_cast<const char*>(octets.data()), octets.size()});
    if (!words) return;
    const std::string text = text_of(*words);
    want_one_line(text);
    const auto again = parse_id(text);
    want(again && matches(*again, *words) == matches(*words, *words));
}

void certificate(OctetView octets) {
    static const Id ids[] = {*parse_id("gw.example.com"), *parse_id("20.0.0.1"), *parse_id("user@example.com"),
                             *parse_id("C=JP, O=Example, CN=gw")};
    const auto parsed = Certificate::parse_der(context(), octets);
    if (!parsed) return;
    for (const Id& id : ids) parsed->bears(id);
    want_one_line(parsed->subject_text());
    (void)parsed->expiry_text();
    (void)parsed->public_key().text();
    (void)parsed->key_hash();
    TrustStore nobody{context()}, itself{context()};
    itself.add_authority(*parsed);
    const Octets chain[] = {parsed->der(), parsed->der()};
    want(!nobody.validate(chain, ids[0], 1'800'000'000));
    if (const auto key = itself.validate(chain, ids[0], 1'800'000'000)) want(parsed->bears(ids[0]));
}

void auth(OctetView octets) {
    static const std::vector<PublicKey> keys = fixed_keys();
    if (octets.empty()) return;
    const Auth auth{AuthMethod{std::to_integer<std::uint8_t>(octets.front())}, {octets.begin() + 1, octets.end()}};
    for (const PublicKey& key : keys) want(!verify(context(), key, auth, octets, true));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* first, std::size_t count) {
    if (count == 0) return 0;
    const OctetView octets = std::as_bytes(std::span{first + 1, count - 1});
    const std::string_view text{reinterpret_cast<const char*>(octets.data()), octets.size()};
    switch (*first % 6) {
        case 0: identity(octets); break;
        case 1: certificate(octets); break;
        case 2: auth(octets); break;
        case 3: (void)PublicKey::parse(context(), octets); break;
        case 4: (void)Certificate::parse_pem(context(), text); break;
        default: {
            const auto keys = SharedKeys::parse(text, "fuzz");
            want(keys || keys.error().message.starts_with("fuzz:"));
            TrustStore store{context()};
            (void)store.add_revocations(octets);
        }
    }
    return 0;
}
