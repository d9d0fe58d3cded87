// The numbers of IKEv2 that IANA keeps, under the RFC's names (RFC 7296 3, and the extensions that are cited). A value
// that is not named here may come from a peer: each enum holds every value of its width. Any thread; constants only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace torii::ike {

/// One of the two SPIs that name an IKE SA. 0: the responder's, before it has chosen one.
enum class IkeSpi : std::uint64_t {};

enum class ExchangeType : std::uint8_t {
    ike_sa_init = 34,
    ike_auth = 35,
    create_child_sa = 36,
    informational = 37,
    ike_intermediate = 43,  // RFC 9242
    ike_followup_ke = 44,   // RFC 9370
};

enum class PayloadType : std::uint8_t {
    none = 0,
    sa = 33,
    ke = 34,
    id_initiator = 35,
    id_responder = 36,
    cert = 37,
    certreq = 38,
    auth = 39,
    nonce = 40,
    notify = 41,
    delete_ = 42,
    vendor_id = 43,
    ts_initiator = 44,
    ts_responder = 45,
    encrypted = 46,  // SK
    configuration = 47,
    eap = 48,
    encrypted_fragment = 53,  // SKF, RFC 7383
};

enum class ProtocolId : std::uint8_t { none = 0, ike = 1, ah = 2, esp = 3 };

enum class NotifyType : std::uint16_t {
    // errors (RFC 7296 3.10.1): below 16384
    unsupported_critical_payload = 1,
    invalid_ike_spi = 4,
    invalid_major_version = 5,
    invalid_syntax = 7,
    invalid_message_id = 9,
    invalid_spi = 11,
    no_proposal_chosen = 14,
    invalid_ke_payload = 17,
    authentication_failed = 24,
    single_pair_required = 34,
    no_additional_sas = 35,
    internal_address_failure = 36,
    failed_cp_required = 37,
    ts_unacceptable = 38,
    invalid_selectors = 39,
    unacceptable_addresses = 40,   // RFC 4555
    unexpected_nat_detected = 41,  // RFC 4555
    temporary_failure = 43,
    child_sa_not_found = 44,
    state_not_found = 47,  // RFC 9370
    // status
    initial_contact = 16384,
    set_window_size = 16385,
    additional_ts_possible = 16386,
    ipcomp_supported = 16387,
    nat_detection_source_ip = 16388,
    nat_detection_destination_ip = 16389,
    cookie = 16390,
    use_transport_mode = 16391,
    http_cert_lookup_supported = 16392,
    rekey_sa = 16393,
    esp_tfc_padding_not_supported = 16394,
    non_first_fragments_also = 16395,
    mobike_supported = 16396,  // this and the next eight: RFC 4555
    additional_ip4_address = 16397,
    additional_ip6_address = 16398,
    no_additional_addresses = 16399,
    update_sa_addresses = 16400,
    cookie2 = 16401,
    no_nats_allowed = 16402,
    childless_ikev2_supported = 16418,        // RFC 6023
    ikev2_message_id_sync_supported = 16420,  // RFC 6311
    ikev2_fragmentation_supported = 16430,    // RFC 7383
    signature_hash_algorithms = 16431,        // RFC 7427
    use_ppk = 16435,                          // this and the next two: RFC 8784
    ppk_identity = 16436,
    no_ppk_auth = 16437,
    intermediate_exchange_supported = 16438,  // RFC 9242
    additional_key_exchange = 16441,          // RFC 9370
};
constexpr bool is_error(NotifyType type) { return static_cast<std::uint16_t>(type) < 16384; }

enum class TransformType : std::uint8_t {
    encr = 1,
    prf = 2,
    integ = 3,
    ke = 4,  // called D-H in RFC 7296, key exchange method since RFC 9370
    esn = 5,
    additional_ke_1 = 6,  // ADDKE1 to ADDKE7 (RFC 9370 2.2.1), whose IDs are those of `ke`
    additional_ke_2,
    additional_ke_3,
    additional_ke_4,
    additional_ke_5,
    additional_ke_6,
    additional_ke_7,
};
inline constexpr std::size_t additional_kes = 7;
/// ADDKE1 for 0 and so on; `index` below additional_kes.
constexpr TransformType additional_ke(std::size_t index) {
    return TransformType{static_cast<std::uint8_t>(static_cast<std::size_t>(TransformType::additional_ke_1) + index)};
}
/// And back: 0 for ADDKE1.
constexpr std::size_t additional_place(TransformType additional) {
    return static_cast<std::size_t>(additional) - static_cast<std::size_t>(TransformType::additional_ke_1);
}
constexpr bool is_additional_ke(TransformType type) {
    return type >= TransformType::additional_ke_1 && type <= TransformType::additional_ke_7;
}
enum class EncrId : std::uint16_t {
    des3 = 3,
    null = 11,
    aes_cbc = 12,
    aes_ctr = 13,
    aes_ccm_8 = 14,
    aes_ccm_12 = 15,
    aes_ccm_16 = 16,
    aes_gcm_8 = 18,
    aes_gcm_12 = 19,
    aes_gcm_16 = 20,
    null_auth_aes_gmac = 21,
    camellia_cbc = 23,
    chacha20_poly1305 = 28,  // RFC 7634
};
enum class PrfId : std::uint16_t {
    hmac_sha1 = 2,
    aes128_xcbc = 4,
    hmac_sha2_256 = 5,
    hmac_sha2_384 = 6,
    hmac_sha2_512 = 7,
};
enum class IntegId : std::uint16_t {
    none = 0,
    hmac_md5_96 = 1,
    hmac_sha1_96 = 2,
    aes_xcbc_96 = 5,
    aes_cmac_96 = 8,
    aes_128_gmac = 9,
    aes_192_gmac = 10,
    aes_256_gmac = 11,
    hmac_sha2_256_128 = 12,
    hmac_sha2_384_192 = 13,
    hmac_sha2_512_256 = 14,
};
enum class KeMethod : std::uint16_t {
    none = 0,
    modp1024 = 2,
    modp1536 = 5,
    modp2048 = 14,
    modp3072 = 15,
    modp4096 = 16,
    ecp256 = 19,
    ecp384 = 20,
    ecp521 = 21,
    x25519 = 31,
    mlkem512 = 35,  // this and the next two: draft-ietf-ipsecme-ikev2-mlkem
    mlkem768 = 36,
    mlkem1024 = 37,
};
enum class EsnId : std::uint16_t { none = 0, esn = 1 };

enum class IdType : std::uint8_t {
    ipv4_addr = 1,
    fqdn = 2,
    rfc822_addr = 3,
    ipv6_addr = 5,
    der_asn1_dn = 9,
    der_asn1_gn = 10,
    key_id = 11,
};
enum class AuthMethod : std::uint8_t {
    rsa_signature = 1,
    shared_key = 2,
    ecdsa_sha256_p256 = 9,
    ecdsa_sha384_p384 = 10,
    ecdsa_sha512_p521 = 11,
    null = 13,               // RFC 7619
    digital_signature = 14,  // RFC 7427
};
enum class SignatureHash : std::uint16_t { sha1 = 1, sha2_256 = 2, sha2_384 = 3, sha2_512 = 4, identity = 5 };
enum class CertEncoding : std::uint8_t { x509_signature = 4, crl = 7, hash_and_url = 12, raw_public_key = 15 };
enum class TsType : std::uint8_t { ipv4_addr_range = 7, ipv6_addr_range = 8 };
enum class IpcompTransform : std::uint8_t { oui = 1, deflate = 2, lzs = 3, lzjh = 4 };
enum class CfgType : std::uint8_t { request = 1, reply = 2, set = 3, ack = 4 };
enum class CfgAttribute : std::uint16_t {
    internal_ip4_address = 1,
    internal_ip4_netmask = 2,
    internal_ip4_dns = 3,
    internal_ip6_address = 8,
    internal_ip6_dns = 10,
    application_version = 7,
    internal_ip4_subnet = 13,
    internal_ip6_subnet = 15,
};

/// The RFC's own words ("IKE_SA_INIT", "NO_PROPOSAL_CHOSEN", "SAi", "AUTH_HMAC_SHA2_256_128"), or the number.
std::string name_of(ExchangeType type);
std::string name_of(PayloadType type);
std::string name_of(ProtocolId protocol);
std::string name_of(NotifyType type);
std::string name_of(TransformType type);
std::string name_of(EncrId id);
std::string name_of(PrfId id);
std::string name_of(IntegId id);
std::string name_of(KeMethod method);
std::string name_of(IdType type);
std::string name_of(AuthMethod method);

}  // namespace torii::ike
