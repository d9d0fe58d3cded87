// The SAs of ESP in Wireshark's words: lines of its table esp_sa, with which Wireshark and tshark decrypt a capture.
// Eight columns, which every version with that table takes: family, source, destination, SPI, cipher and key,
// authenticator and key. AH needs no keys to be read, and IPComp has none.
#include "app/setkey/setkey.h"
#include "crypto/registry.h"

namespace torii::setkey {
namespace {

using control::SaSpec;
using control::SaState;
using control::SaView;

/// Wireshark's name for the cipher under a key of so many octets; empty where it has none, or not for such a key.
std::string_view cipher_name(CipherId cipher, std::size_t key_octets) {
    constexpr std::size_t longest = 16;  // of the ciphers whose key may have many lengths
    switch (cipher) {
        case CipherId::null: return "NULL";
        case CipherId::des_cbc: return "DES-CBC [RFC2405]";
        case CipherId::des3_cbc: return "TripleDES-CBC [RFC2451]";
        case CipherId::blowfish_cbc: return key_octets == longest ? "BLOWFISH-CBC [RFC2451]" : "";
        case CipherId::cast128_cbc: return key_octets == longest ? "CAST5-CBC [RFC2144]" : "";
        case CipherId::aes_cbc: return "AES-CBC [RFC3602]";
        case CipherId::aes_ctr: return "AES-CTR [RFC3686]";
        case CipherId::aes_gcm_16: return "AES-GCM with 16 octet ICV [RFC4106]";
        case CipherId::aes_gcm_12: return "AES-GCM with 12 octet ICV [RFC4106]";
        case CipherId::aes_gcm_8: return "AES-GCM with 8 octet ICV [RFC4106]";
        default: return {};
    }
}

/// Its name for the authenticator, or for an ICV of that length which it leaves alone: so it does where the ICV covers
/// half a sequence number that is not in the packet.
std::string auth_name(AuthId auth, bool extended_sequence) {
    if (!extended_sequence) switch (auth) {
            case AuthId::null: return "NULL";
            case AuthId::hmac_md5: return "HMAC-MD5-96 [RFC2403]";
            case AuthId::hmac_sha1: return "HMAC-SHA-1-96 [RFC2404]";
            case AuthId::hmac_sha256: return "HMAC-SHA-256-128 [RFC4868]";
            case AuthId::hmac_sha384: return "HMAC-SHA-384-192 [RFC4868]";
            case AuthId::hmac_sha512: return "HMAC-SHA-512-256 [RFC4868]";
            case AuthId::hmac_sha256_96: return "HMAC-SHA-256-96 [draft-ietf-ipsec-ciph-sha-256-00]";
            case AuthId::hmac_ripemd160: return "MAC-RIPEMD-160-96 [RFC2857]";
            default: break;
        }
    if (auth == AuthId::null) return "NULL";
    return "ANY " + std::to_string(info(auth).icv_octets * 8) + " bit authentication [no checking]";
}

void append_quoted(std::string& out, std::string_view text) { out.append("\"").append(text).append("\""); }

void append_key(std::string& out, const SecretBytes& key) {
    constexpr char digits[] = "0123456789abcdef";
    out += key.empty() ? ",\"" : ",\"0x";
    for (const std::byte b : key.octets()) {
        out += digits[std::to_integer<unsigned>(b) >> 4];
        out += digits[std::to_integer<unsigned>(b) & 15];
    }
    out += '"';
}

void append_line(std::string& out, const SaSpec& spec) {
    constexpr char digits[] = "0123456789abcdef";
    const std::string_view cipher = spec.old ? "" : cipher_name(spec.cipher, spec.cipher_key.octets().size());
    const auto spi = static_cast<std::uint32_t>(spec.id.spi);
    std::string spi_text = "0x";
    for (int shift = 28; shift >= 0; shift -= 4) spi_text += digits[spi >> shift & 15];
    if (cipher.empty()) {
        out += "# " + spec.id.source.text() + " " + spec.id.destination.text() + " " + spi_text +
               ": Wireshark does not know " + (spec.old ? "esp-old" : std::string{info(spec.cipher).name}) +
               " with such a key\n";
        return;
    }
    append_quoted(out, spec.id.source.is_v4() ? "IPv4" : "IPv6");
    for (const std::string& field : {spec.id.source.text(), spec.id.destination.text(), spi_text, std::string{cipher}})
        append_quoted(out += ',', field);
    append_key(out, spec.cipher_key);
    append_quoted(out += ',', auth_name(spec.auth, spec.extended_sequence));
    append_key(out, spec.auth_key);
    out += '\n';
}

}  // namespace

std::string wireshark_table(const control::ControlPlane& control) {
    std::string out;
    control.each_sa([&](const SaView& sa) {
        const bool has_keys = sa.state == SaState::mature || sa.state == SaState::dying;
        if (has_keys && sa.spec.id.protocol == IpsecProtocol::esp) append_line(out, sa.spec);
        return true;
    });
    return out;
}

}  // namespace torii::setkey
