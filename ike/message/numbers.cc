#include "ike/message/numbers.h"

namespace torii::ike {

namespace {

template <class Enum>
std::string number_of(const char* kind, Enum value) {
    return std::string{kind} + " " + std::to_string(static_cast<unsigned>(value));
}

}  // namespace

std::string name_of(ExchangeType type) {
    switch (type) {
        case ExchangeType::ike_sa_init: return "IKE_SA_INIT";
        case ExchangeType::ike_auth: return "IKE_AUTH";
        case ExchangeType::create_child_sa: return "CREATE_CHILD_SA";
        case ExchangeType::informational: return "INFORMATIONAL";
        case ExchangeType::ike_intermediate: return "IKE_INTERMEDIATE";
        case ExchangeType::ike_followup_ke: return "IKE_FOLLOWUP_KE";
    }
    return number_of("exchange", type);
}

std::string name_of(PayloadType type) {
    switch (type) {
        case PayloadType::none: return "none";
        case PayloadType::sa: return "SA";
        case PayloadType::ke: return "KE";
        case PayloadType::id_initiator: return "IDi";
        case PayloadType::id_responder: return "IDr";
        case PayloadType::cert: return "CERT";
        case PayloadType::certreq: return "CERTREQ";
        case PayloadType::auth: return "AUTH";
        case PayloadType::nonce: return "No";
        case PayloadType::notify: return "N";
        case PayloadType::delete_: return "D";
        case PayloadType::vendor_id: return "V";
        case PayloadType::ts_initiator: return "TSi";
        case PayloadType::ts_responder: return "TSr";
        case PayloadType::encrypted: return "SK";
        case PayloadType::configuration: return "CP";
        case PayloadType::eap: return "EAP";
        case PayloadType::encrypted_fragment: return "SKF";
    }
    return number_of("payload", type);
}

std::string name_of(ProtocolId protocol) {
    switch (protocol) {
        case ProtocolId::none: return "none";
        case ProtocolId::ike: return "IKE";
        case ProtocolId::ah: return "AH";
        case ProtocolId::esp: return "ESP";
    }
    return number_of("protocol", protocol);
}

std::string name_of(NotifyType type) {
    switch (type) {
        case NotifyType::unsupported_critical_payload: return "UNSUPPORTED_CRITICAL_PAYLOAD";
        case NotifyType::invalid_ike_spi: return "INVALID_IKE_SPI";
        case NotifyType::invalid_major_version: return "INVALID_MAJOR_VERSION";
        case NotifyType::invalid_syntax: return "INVALID_SYNTAX";
        case NotifyType::invalid_message_id: return "INVALID_MESSAGE_ID";
        case NotifyType::invalid_spi: return "INVALID_SPI";
        case NotifyType::no_proposal_chosen: return "NO_PROPOSAL_CHOSEN";
        case NotifyType::invalid_ke_payload: return "INVALID_KE_PAYLOAD";
        case NotifyType::authentication_failed: return "AUTHENTICATION_FAILED";
        case NotifyType::single_pair_required: return "SINGLE_PAIR_REQUIRED";
        case NotifyType::no_additional_sas: return "NO_ADDITIONAL_SAS";
        case NotifyType::internal_address_failure: return "INTERNAL_ADDRESS_FAILURE";
        case NotifyType::failed_cp_required: return "FAILED_CP_REQUIRED";
        case NotifyType::ts_unacceptable: return "TS_UNACCEPTABLE";
        case NotifyType::invalid_selectors: return "INVALID_SELECTORS";
        case NotifyType::unacceptable_addresses: return "UNACCEPTABLE_ADDRESSES";
        case NotifyType::unexpected_nat_detected: return "UNEXPECTED_NAT_DETECTED";
        case NotifyType::temporary_failure: return "TEMPORARY_FAILURE";
        case NotifyType::child_sa_not_found: return "CHILD_SA_NOT_FOUND";
        case NotifyType::state_not_found: return "STATE_NOT_FOUND";
        case NotifyType::initial_contact: return "INITIAL_CONTACT";
        case NotifyType::set_window_size: return "SET_WINDOW_SIZE";
        case NotifyType::additional_ts_possible: return "ADDITIONAL_TS_POSSIBLE";
        case NotifyType::ipcomp_supported: return "IPCOMP_SUPPORTED";
        case NotifyType::nat_detection_source_ip: return "NAT_DETECTION_SOURCE_IP";
        case NotifyType::nat_detection_destination_ip: return "NAT_DETECTION_DESTINATION_IP";
        case NotifyType::cookie: return "COOKIE";
        case NotifyType::use_transport_mode: return "USE_TRANSPORT_MODE";
        case NotifyType::http_cert_lookup_supported: return "HTTP_CERT_LOOKUP_SUPPORTED";
        case NotifyType::rekey_sa: return "REKEY_SA";
        case NotifyType::esp_tfc_padding_not_supported: return "ESP_TFC_PADDING_NOT_SUPPORTED";
        case NotifyType::non_first_fragments_also: return "NON_FIRST_FRAGMENTS_ALSO";
        case NotifyType::mobike_supported: return "MOBIKE_SUPPORTED";
        case NotifyType::additional_ip4_address: return "ADDITIONAL_IP4_ADDRESS";
        case NotifyType::additional_ip6_address: return "ADDITIONAL_IP6_ADDRESS";
        case NotifyType::no_additional_addresses: return "NO_ADDITIONAL_ADDRESSES";
        case NotifyType::update_sa_addresses: return "UPDATE_SA_ADDRESSES";
        case NotifyType::cookie2: return "COOKIE2";
        case NotifyType::no_nats_allowed: return "NO_NATS_ALLOWED";
        case NotifyType::childless_ikev2_supported: return "CHILDLESS_IKEV2_SUPPORTED";
        case NotifyType::ikev2_message_id_sync_supported: return "IKEV2_MESSAGE_ID_SYNC_SUPPORTED";
        case NotifyType::ikev2_fragmentation_supported: return "IKEV2_FRAGMENTATION_SUPPORTED";
        case NotifyType::signature_hash_algorithms: return "SIGNATURE_HASH_ALGORITHMS";
        case NotifyType::use_ppk: return "USE_PPK";
        case NotifyType::ppk_identity: return "PPK_IDENTITY";
        case NotifyType::no_ppk_auth: return "NO_PPK_AUTH";
        case NotifyType::intermediate_exchange_supported: return "INTERMEDIATE_EXCHANGE_SUPPORTED";
        case NotifyType::additional_key_exchange: return "ADDITIONAL_KEY_EXCHANGE";
    }
    return number_of("notification", type);
}

std::string name_of(TransformType type) {
    if (is_additional_ke(type)) return "additional key exchange " + std::to_string(additional_place(type) + 1);
    switch (type) {
        case TransformType::encr: return "encryption";
        case TransformType::prf: return "PRF";
        case TransformType::integ: return "integrity";
        case TransformType::ke: return "key exchange";
        case TransformType::esn: return "extended sequence numbers";
        default: break;
    }
    return number_of("transform type", type);
}

std::string name_of(EncrId id) {
    switch (id) {
        case EncrId::des3: return "ENCR_3DES";
        case EncrId::null: return "ENCR_NULL";
        case EncrId::aes_cbc: return "ENCR_AES_CBC";
        case EncrId::aes_ctr: return "ENCR_AES_CTR";
        case EncrId::aes_ccm_8: return "ENCR_AES_CCM_8";
        case EncrId::aes_ccm_12: return "ENCR_AES_CCM_12";
        case EncrId::aes_ccm_16: return "ENCR_AES_CCM_16";
        case EncrId::aes_gcm_8: return "ENCR_AES_GCM_8";
        case EncrId::aes_gcm_12: return "ENCR_AES_GCM_12";
        case EncrId::aes_gcm_16: return "ENCR_AES_GCM_16";
        case EncrId::null_auth_aes_gmac: return "ENCR_NULL_AUTH_AES_GMAC";
        case EncrId::camellia_cbc: return "ENCR_CAMELLIA_CBC";
        case EncrId::chacha20_poly1305: return "ENCR_CHACHA20_POLY1305";
    }
    return number_of("ENCR", id);
}

std::string name_of(PrfId id) {
    switch (id) {
        case PrfId::hmac_sha1: return "PRF_HMAC_SHA1";
        case PrfId::aes128_xcbc: return "PRF_AES128_XCBC";
        case PrfId::hmac_sha2_256: return "PRF_HMAC_SHA2_256";
        case PrfId::hmac_sha2_384: return "PRF_HMAC_SHA2_384";
        case PrfId::hmac_sha2_512: return "PRF_HMAC_SHA2_512";
    }
    return number_of("PRF", id);
}

std::string name_of(IntegId id) {
    switch (id) {
        case IntegId::none: return "NONE";
        case IntegId::hmac_md5_96: return "AUTH_HMAC_MD5_96";
        case IntegId::hmac_sha1_96: return "AUTH_HMAC_SHA1_96";
        case IntegId::aes_xcbc_96: return "AUTH_AES_XCBC_96";
        case IntegId::aes_cmac_96: return "AUTH_AES_CMAC_96";
        case IntegId::aes_128_gmac: return "AUTH_AES_128_GMAC";
        case IntegId::aes_192_gmac: return "AUTH_AES_192_GMAC";
        case IntegId::aes_256_gmac: return "AUTH_AES_256_GMAC";
        case IntegId::hmac_sha2_256_128: return "AUTH_HMAC_SHA2_256_128";
        case IntegId::hmac_sha2_384_192: return "AUTH_HMAC_SHA2_384_192";
        case IntegId::hmac_sha2_512_256: return "AUTH_HMAC_SHA2_512_256";
    }
    return number_of("INTEG", id);
}

std::string name_of(KeMethod method) {
    switch (method) {
        case KeMethod::none: return "NONE";
        case KeMethod::modp1024: return "MODP_1024";
        case KeMethod::modp1536: return "MODP_1536";
        case KeMethod::modp2048: return "MODP_2048";
        case KeMethod::modp3072: return "MODP_3072";
        case KeMethod::modp4096: return "MODP_4096";
        case KeMethod::ecp256: return "ECP_256";
        case KeMethod::ecp384: return "ECP_384";
        case KeMethod::ecp521: return "ECP_521";
        case KeMethod::x25519: return "CURVE25519";
        case KeMethod::mlkem512: return "ML_KEM_512";
        case KeMethod::mlkem768: return "ML_KEM_768";
        case KeMethod::mlkem1024: return "ML_KEM_1024";
    }
    return number_of("key exchange", method);
}

std::string name_of(IdType type) {
    switch (type) {
        case IdType::ipv4_addr: return "ID_IPV4_ADDR";
        case IdType::fqdn: return "ID_FQDN";
        case IdType::rfc822_addr: return "ID_RFC822_ADDR";
        case IdType::ipv6_addr: return "ID_IPV6_ADDR";
        case IdType::der_asn1_dn: return "ID_DER_ASN1_DN";
        case IdType::der_asn1_gn: return "ID_DER_ASN1_GN";
        case IdType::key_id: return "ID_KEY_ID";
    }
    return number_of("ID", type);
}

std::string name_of(AuthMethod method) {
    switch (method) {
        case AuthMethod::rsa_signature: return "RSA signature";
        case AuthMethod::shared_key: return "shared key";
        case AuthMethod::ecdsa_sha256_p256: return "ECDSA with SHA-256 on P-256";
        case AuthMethod::ecdsa_sha384_p384: return "ECDSA with SHA-384 on P-384";
        case AuthMethod::ecdsa_sha512_p521: return "ECDSA with SHA-512 on P-521";
        case AuthMethod::null: return "NULL authentication";
        case AuthMethod::digital_signature: return "digital signature";
    }
    return number_of("authentication method", method);
}

}  // namespace torii::ike
