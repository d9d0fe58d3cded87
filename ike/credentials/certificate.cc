#include <openssl/pem.h>

#include <array>
#include <ctime>

#include "ike/credentials/certificates.h"
#include "ike/credentials/hexadecimal.h"
#include "ike/credentials/names.h"
#include "ike/credentials/validity.h"

namespace torii::ike {
namespace {

using namespace openssl;

/// One block out of a PEM text, freed with what it held: it may be a private key that stands beside the certificates.
struct PemBlock {
    char *name = nullptr, *header = nullptr;
    unsigned char* der = nullptr;
    long count = 0;
    PemBlock() = default;
    PemBlock(const PemBlock&) = delete;
    PemBlock& operator=(const PemBlock&) = delete;
    ~PemBlock() {
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, static_cast<std::size_t>(count));
    }
    bool is_certificate() const {
        const std::string_view kind = name;
        return kind == PEM_STRING_X509 || kind == PEM_STRING_X509_OLD;
    }
};

/// The subjectAltName; null when there is none, more than one, or one that does not parse.
GeneralNamesPtr other_names(const X509* certificate) {
    return GeneralNamesPtr{
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
}

/// An alternative name as the identity that would be it; nothing for kinds that no identity has.
std::optional<Id> id_of(const GENERAL_NAME* name) {
    int kind = 0;
    const auto* const value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(name, &kind));
    const auto made = [&](IdType type) {
        const auto view = bytes(value);
        return Id{type, Octets{view.begin(), view.end()}};
    };
    switch (kind) {
        case GEN_DNS: return made(IdType::fqdn);
        case GEN_EMAIL: return made(IdType::rfc822_addr);
        case GEN_IPADD:
            if (bytes(value).size() == 4) return made(IdType::ipv4_addr);
            if (bytes(value).size() == 16) return made(IdType::ipv6_addr);
            return std::nullopt;
        default: return std::nullopt;
    }
}

bool same_alternative(const Id& name, const Id& id) {
    if (name.type != id.type) return false;
    switch (id.type) {
        case IdType::fqdn: return same_host(name.data, id.data);
        case IdType::rfc822_addr: return same_mailbox(name.data, id.data);
        default: return name.data == id.data;
    }
}

}  // namespace

std::string date_text(const ASN1_TIME* time) {
    static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm parts{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return "a date that does not parse";
    return std::string{months[static_cast<std::size_t>(parts.tm_mon)]} + " " + std::to_string(parts.tm_mday) + " " +
           std::to_string(parts.tm_year + 1900);
}

std::string subject_text(const X509* certificate) {
    const std::string words = text_of(X509_get_subject_name(certificate));
    return words.empty() ? "no subject, serial " + hexadecimal_of(bytes(X509_get0_serialNumber(certificate))) : words;
}

std::string names_text(const X509* certificate) {
    constexpr int most = 8;  // a log line's worth; a certificate may have hundreds
    std::string out;
    const auto add = [&out](std::string_view name) { out.append(out.empty() ? "" : ", ").append(name); };
    if (X509_NAME_entry_count(X509_get_subject_name(certificate)) > 0) add("'" + subject_text(certificate) + "'");
    const GeneralNamesPtr names = other_names(certificate);
    const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
    for (int i = 0; i < count && i < most; ++i)
        if (const auto id = id_of(sk_GENERAL_NAME_value(names.get(), i))) add(text_of(*id));
    if (count > most) add("and more");
    return out.empty() ? "nothing" : out;
}

Result<Certificate> Certificate::parse_der(CryptoContext& context, OctetView der) {
    const ErrorsForgotten forgotten;
    if (der.size() > limits::certificate_octets)
        return fail(Errc::no_room, "a certificate of " + std::to_string(der.size()) + " octets is too long: at most " +
                                       std::to_string(limits::certificate_octets) + " are taken");
    CertificatePtr parsed{X509_new_ex(context.library(), nullptr)};
    X509* target = parsed.get();
    const unsigned char* at = octets(der.data());
    // A failed d2i_X509 frees what it was given.
    if (der.empty() || target == nullptr || d2i_X509(&target, &at, static_cast<long>(der.size())) == nullptr) {
        if (target == nullptr) (void)parsed.release();
        return fail(Errc::bad_value, "this is no certificate");
    }
    if (at != octets(der.data()) + der.size())
        return fail(Errc::trailing, "octets are left over behind certificate '" + ike::subject_text(target) + "'");
    Certificate out;
    out.der_.assign(der.begin(), der.end());
    if (der_of(parsed.get(), i2d_X509) != out.der_)
        return fail(Errc::bad_value, "certificate '" + ike::subject_text(target) + "' is not in DER");
    out.certificate_ = std::shared_ptr<X509>{std::move(parsed)};
    return out;
}

Result<std::vector<Certificate>> Certificate::parse_pem(CryptoContext& context, std::string_view pem) {
    const ErrorsForgotten forgotten;
    const BioPtr bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    std::vector<Certificate> out;
    while (bio) {
        PemBlock block;
        if (PEM_read_bio(bio.get(), &block.name, &block.header, &block.der, &block.count) != 1) break;
        if (!block.is_certificate()) continue;
        auto one = parse_der(context, bytes(block.der, static_cast<std::size_t>(block.count)));
        if (!one) return std::unexpected(std::move(one).error().in("certificate " + std::to_string(out.size() + 1)));
        out.push_back(std::move(*one));
    }
    if (const auto fault = ERR_peek_last_error();
        fault != 0 && !(ERR_GET_LIB(fault) == ERR_LIB_PEM && ERR_GET_REASON(fault) == PEM_R_NO_START_LINE))
        return fail(Errc::bad_syntax, "the PEM text is damaged behind certificate " + std::to_string(out.size()));
    if (out.empty())
        return fail(Errc::bad_syntax, "there is no certificate in PEM: -----BEGIN CERTIFICATE----- begins one");
    return out;
}

PublicKey Certificate::public_key() const {
    const ErrorsForgotten forgotten;
    return PublicKey{std::shared_ptr<EVP_PKEY>{KeyPtr{X509_get_pubkey(certificate_.get())}}};
}

Id Certificate::subject() const {
    return {IdType::der_asn1_dn, der_of(X509_get_subject_name(certificate_.get()), i2d_X509_NAME)};
}

std::string Certificate::subject_text() const { return ike::subject_text(certificate_.get()); }

std::string Certificate::expiry_text() const { return date_text(X509_get0_notAfter(certificate_.get())); }

// RFC 4945 3.1: never the common name for a host name or address, and no wildcards.
bool Certificate::bears(const Id& id) const {
    const ErrorsForgotten forgotten;
    if (id.data.empty()) return false;
    if (id.type == IdType::der_asn1_dn) {
        const NamePtr name = name_of_der(id.data);
        return name && X509_NAME_entry_count(name.get()) > 0 &&
               X509_NAME_cmp(X509_get_subject_name(certificate_.get()), name.get()) == 0;
    }
    const GeneralNamesPtr names = other_names(certificate_.get());
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i)
        if (const auto name = id_of(sk_GENERAL_NAME_value(names.get(), i)); name && same_alternative(*name, id))
            return true;
    return false;
}

Octets Certificate::key_hash() const {
    const Octets key = der_of(X509_get_X509_PUBKEY(certificate_.get()), i2d_X509_PUBKEY);
    Octets hash(20);
    if (EVP_Digest(key.data(), key.size(), octets(hash.data()), nullptr, EVP_sha1(), nullptr) != 1) hash.clear();
    return hash;
}

}  // namespace torii::ike
