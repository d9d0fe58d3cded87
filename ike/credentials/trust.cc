#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <algorithm>

#include "ike/credentials/certificates.h"
#include "ike/credentials/keys.h"
#include "ike/credentials/names.h"
#include "ike/credentials/validity.h"

namespace torii::ike {
namespace {

using namespace openssl;

using StoreContext = std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;
struct FreeStack {
    void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }  // borrows its certificates
};
using Stack = std::unique_ptr<STACK_OF(X509), FreeStack>;
struct FreeCrls {
    void operator()(STACK_OF(X509_CRL) * stack) const { sk_X509_CRL_pop_free(stack, X509_CRL_free); }
};
using Crls = std::unique_ptr<STACK_OF(X509_CRL), FreeCrls>;
using ExtendedUsage = std::unique_ptr<EXTENDED_KEY_USAGE, FreeWith<EXTENDED_KEY_USAGE_free>>;

constexpr int most_between = 6;        // certificates between the peer's and the authority's
constexpr std::size_t most_sent = 10;  // certificates that a peer may send: his own and some too many
constexpr int security_bits_112 = 2;   // OpenSSL's level: RSA of 2048 bits, no SHA-1 in signatures
constexpr std::size_t most_crl_octets = 16u << 20;

std::string quoted(const X509* certificate) { return "certificate '" + subject_text(certificate) + "'"; }

/// The newest list of this certificate's issuer, for the date in an error; null: none.
const X509_CRL* newest(STACK_OF(X509_CRL) * lists) {
    const X509_CRL* best = nullptr;
    for (int i = 0; i < sk_X509_CRL_num(lists); ++i) {
        const X509_CRL* const list = sk_X509_CRL_value(lists, i);
        if (best == nullptr || ASN1_TIME_compare(X509_CRL_get0_lastUpdate(list), X509_CRL_get0_lastUpdate(best)) > 0)
            best = list;
    }
    return best;
}
Crls lists_about(const X509_STORE_CTX* context, const X509* certificate) {
    return Crls{X509_STORE_CTX_get1_crls(context, X509_get_issuer_name(certificate))};
}

/// OpenSSL asks for a list of every issuer once it looks at any. One whose list nobody gave us is not held to it; one
/// whose list is there and does not fit stays an error.
int judge(int good, X509_STORE_CTX* context) {
    if (good == 1 || X509_STORE_CTX_get_error(context) != X509_V_ERR_UNABLE_TO_GET_CRL) return good;
    const Crls lists = lists_about(context, X509_STORE_CTX_get_current_cert(context));
    if (lists && sk_X509_CRL_num(lists.get()) > 0) return 0;
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
}

std::string issuer_text(const X509* certificate) { return "'" + text_of(X509_get_issuer_name(certificate)) + "'"; }

std::string key_text(X509* certificate) { return text_of(X509_get0_pubkey(certificate)); }

std::string about_list(const X509_STORE_CTX* context, const X509* certificate, int fault) {
    const std::string list = "the revocation list of " + issuer_text(certificate);
    const Crls lists = lists_about(context, certificate);
    const X509_CRL* const crl = lists ? newest(lists.get()) : nullptr;
    const std::string tail = ", so nothing is known of " + quoted(certificate);
    switch (fault) {
        case X509_V_ERR_CRL_HAS_EXPIRED:
            return list + " is out of date since " + date_text(crl ? X509_CRL_get0_nextUpdate(crl) : nullptr) + tail;
        case X509_V_ERR_CRL_NOT_YET_VALID:
            return list + " begins on " + date_text(crl ? X509_CRL_get0_lastUpdate(crl) : nullptr) + " only" + tail;
        case X509_V_ERR_CRL_SIGNATURE_FAILURE: return list + " is not signed by it" + tail;
        default: return list + " is not to be used (" + X509_verify_cert_error_string(fault) + ")" + tail;
    }
}

/// What OpenSSL found, in an operator's words.
std::string verdict(const X509_STORE_CTX* context, const X509* own) {
    const int fault = X509_STORE_CTX_get_error(context);
    X509* const current = X509_STORE_CTX_get_current_cert(context);
    if (current == nullptr) return quoted(own) + ": " + X509_verify_cert_error_string(fault);
    const std::string which = quoted(current);
    switch (fault) {
        case X509_V_ERR_CERT_HAS_EXPIRED: return which + " has expired on " + date_text(X509_get0_notAfter(current));
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return which + " is not valid before " + date_text(X509_get0_notBefore(current));
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return which + " is issued by " + issuer_text(current) +
                   ", which is no authority of ours, and no certificate that was sent leads to one";
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return which + " is signed by itself, and is no authority of ours";
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
            return which + " is not signed by " + issuer_text(current) + ", whom it names as its issuer";
        case X509_V_ERR_CERT_REVOKED: return which + " has been revoked by " + issuer_text(current);
        case X509_V_ERR_CERT_CHAIN_TOO_LONG:
            return "more than " + std::to_string(most_between) + " certificates stand between " + quoted(own) +
                   " and an authority";
        case X509_V_ERR_INVALID_CA:
        case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
            return which + " is no authority's (basic constraints, key usage), and another one is signed by it";
        case X509_V_ERR_PATH_LENGTH_EXCEEDED:
            return which + " allows fewer authorities below it (path length) than there are";
        case X509_V_ERR_PERMITTED_VIOLATION:
        case X509_V_ERR_EXCLUDED_VIOLATION:
            return which + " bears a name that its authority must not give away (name constraints)";
        case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
        case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
        case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
            return which + " is under name constraints that cannot be checked, so they do not hold";
        case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION: return which + " has a critical extension that is not known here";
        case X509_V_ERR_EE_KEY_TOO_SMALL:
        case X509_V_ERR_CA_KEY_TOO_SMALL: return "the key of " + which + " (" + key_text(current) + ") is too short";
        case X509_V_ERR_CA_MD_TOO_WEAK: return which + " is signed by way of a hash that is no longer safe";
        case X509_V_ERR_CRL_HAS_EXPIRED:
        case X509_V_ERR_CRL_NOT_YET_VALID:
        case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
        case X509_V_ERR_DIFFERENT_CRL_SCOPE:
        case X509_V_ERR_UNABLE_TO_GET_CRL:
        case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION: return about_list(context, current, fault);
        default: return which + ": " + X509_verify_cert_error_string(fault);
    }
}

/// RFC 4945 5.1.3.12: a list of purposes must name IKE or any. What authorities issue for gateways names TLS as often,
/// so that is taken too; a certificate for signing programs or mail is not.
bool serves_ike(const X509* certificate) {
    int critical = -1;
    const ExtendedUsage usage{
        static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(certificate, NID_ext_key_usage, &critical, nullptr))};
    if (!usage) return critical == -1;  // -1: there is none; else it does not parse
    for (int i = 0; i < sk_ASN1_OBJECT_num(usage.get()); ++i) {
        const ASN1_OBJECT* const purpose = sk_ASN1_OBJECT_value(usage.get(), i);
        char number[64];
        OBJ_obj2txt(number, sizeof number, purpose, 1);
        switch (OBJ_obj2nid(purpose)) {
            case NID_ipsec_IKE:
            case NID_anyExtendedKeyUsage:
            case NID_server_auth:
            case NID_client_auth: return true;
            default:
                if (std::string_view{number} == "1.3.6.1.5.5.8.2.2") return true;  // what IKE's was called before
        }
    }
    return false;
}

/// RFC 4945 5.1.3.2: a key usage, if there is one, says digitalSignature or nonRepudiation.
Result<void> check_usage(X509* own) {
    if (X509_check_purpose(own, -1, 0) != 1)
        return fail(Errc::denied, quoted(own) + " has extensions that do not parse or contradict each other");
    constexpr std::uint32_t signs = KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION;
    if ((X509_get_key_usage(own) & signs) == 0)  // without the extension every bit is set
        return fail(Errc::denied, quoted(own) + " is not for signatures (key usage)");
    if (!serves_ike(own))
        return fail(Errc::denied, quoted(own) + " is for other purposes than IKE (extended key usage)");
    return {};
}

Result<std::vector<Certificate>> parsed(CryptoContext& context, std::span<const Octets> chain) {
    if (chain.empty()) return fail(Errc::denied, "the peer sent no certificate");
    if (chain.size() > most_sent)
        return fail(Errc::no_room, "the peer sent " + std::to_string(chain.size()) + " certificates; at most " +
                                       std::to_string(most_sent) + " are looked at");
    std::vector<Certificate> out;
    for (const Octets& der : chain) {
        auto one = Certificate::parse_der(context, der);
        if (!one)
            return std::unexpected(
                std::move(one).error().in("certificate " + std::to_string(out.size() + 1) + " of the peer's"));
        out.push_back(std::move(*one));
    }
    return out;
}

}  // namespace

TrustStore::TrustStore(CryptoContext& context)
    : context_(context), store_(X509_STORE_new(), FreeWith<X509_STORE_free>{}) {}

void TrustStore::add_authority(const Certificate& authority) {
    const ErrorsForgotten forgotten;
    if (X509_STORE_add_cert(store_.get(), authority.get()) == 1) authorities_.push_back(authority);
}

Result<void> TrustStore::add_revocations(OctetView crl) {
    const ErrorsForgotten forgotten;
    if (crl.size() > most_crl_octets) return fail(Errc::no_room, "a revocation list has at most 16 MiB");
    std::vector<CrlPtr> lists;
    const BioPtr bio{BIO_new_mem_buf(crl.data(), static_cast<int>(crl.size()))};
    while (CrlPtr list{bio ? PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr) : nullptr})
        lists.push_back(std::move(list));
    if (lists.empty()) {
        const unsigned char* at = octets(crl.data());
        CrlPtr list{crl.empty() ? nullptr : d2i_X509_CRL(nullptr, &at, static_cast<long>(crl.size()))};
        if (!list || at != octets(crl.data()) + crl.size())
            return fail(Errc::bad_value, "this is no revocation list (X.509 CRL, PEM or DER)");
        lists.push_back(std::move(list));
    }
    for (const CrlPtr& list : lists)
        if (X509_STORE_add_crl(store_.get(), list.get()) != 1)
            return fail(Errc::internal, "OpenSSL does not take the revocation list");
    check_revocations_ = true;
    return {};
}

Octets TrustStore::authority_hashes() const {
    Octets out;
    for (const Certificate& authority : authorities_) {
        const Octets hash = authority.key_hash();
        out.insert(out.end(), hash.begin(), hash.end());
    }
    return out;
}

Result<PublicKey> TrustStore::validate(std::span<const Octets> chain, const Id& id, std::int64_t unix_seconds) const {
    const ErrorsForgotten forgotten;
    TORII_TRY(const std::vector<Certificate> sent, parsed(context_, chain));
    X509* const own = sent.front().get();
    if (authorities_.empty())
        return fail(Errc::denied, quoted(own) + " cannot be judged: there are no authorities of ours");

    const Stack others{sk_X509_new_null()};
    for (const Certificate& other : std::span{sent}.subspan(1))
        if (!others || sk_X509_push(others.get(), other.get()) == 0) return fail(Errc::internal, "out of memory");
    const StoreContext context{X509_STORE_CTX_new_ex(context_.library(), nullptr)};
    if (!context || X509_STORE_CTX_init(context.get(), store_.get(), own, others.get()) != 1)
        return fail(Errc::internal, "OpenSSL cannot judge certificates");
    X509_VERIFY_PARAM* const how = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_time(how, unix_seconds);
    X509_VERIFY_PARAM_set_depth(how, most_between);
    X509_VERIFY_PARAM_set_auth_level(how, security_bits_112);
    // An authority of ours need not be a root: whom the operator believes is believed.
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    if (check_revocations_) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    X509_VERIFY_PARAM_set_flags(how, flags);
    X509_STORE_CTX_set_verify_cb(context.get(), judge);
    if (X509_verify_cert(context.get()) != 1) return fail(Errc::denied, verdict(context.get(), own));

    TORII_CHECK(check_usage(own));
    const PublicKey key = sent.front().public_key();
    if (const auto kind = check_key(key.get()); !kind)
        return fail(Errc::denied, quoted(own) + ": " + kind.error().message);
    if (!sent.front().bears(id))
        return fail(Errc::denied,
                    quoted(own) + " does not bear the identity '" + text_of(id) + "', but " + names_text(own));
    return key;
}

}  // namespace torii::ike
