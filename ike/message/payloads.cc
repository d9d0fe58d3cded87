// What can be asked of payloads, and how they are told to people. Whatever a peer wrote is bounded and made printable
// before it reaches a log; key exchange values, nonces and authentication data are told by their size alone.
#include "ike/message/payloads.h"

#include <algorithm>

#include "base/reader.h"

namespace torii::ike {

namespace {

constexpr std::size_t shown_octets = 64;  // of one field: whole names and hashes, not whole certificates

template <class... Each>
struct Overloaded : Each... {
    using Each::operator()...;
};
template <class... Each>
Overloaded(Each...) -> Overloaded<Each...>;

std::string count_of(std::size_t octets) { return std::to_string(octets) + (octets == 1 ? " octet" : " octets"); }

std::string hex(const Octets& octets) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (std::size_t i = 0; i < std::min(octets.size(), shown_octets); ++i) {
        out += digits[std::to_integer<unsigned>(octets[i]) >> 4];
        out += digits[std::to_integer<unsigned>(octets[i]) & 15];
    }
    return octets.size() > shown_octets ? out + "... (" + count_of(octets.size()) + ")" : out;
}

/// In quotes; what would move a terminal's cursor or end the line stands as \xNN.
std::string quoted(const Octets& octets) {
    std::string out = "\"";
    for (std::size_t i = 0; i < std::min(octets.size(), shown_octets); ++i) {
        const auto c = std::to_integer<unsigned char>(octets[i]);
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            out += "\\x" + hex({octets[i]});
        else
            out += static_cast<char>(c);
    }
    out += '"';
    return octets.size() > shown_octets ? out + "... (" + count_of(octets.size()) + ")" : out;
}

std::string text_of(const Transform& transform) {
    std::string out;
    if (is_additional_ke(transform.type)) out = name_of(transform.type) + " " + name_of(KeMethod{transform.id});
    switch (transform.type) {
        case TransformType::encr: out = name_of(EncrId{transform.id}); break;
        case TransformType::prf: out = name_of(PrfId{transform.id}); break;
        case TransformType::integ: out = name_of(IntegId{transform.id}); break;
        case TransformType::ke: out = name_of(KeMethod{transform.id}); break;
        case TransformType::esn: out = transform.id == 1 ? "ESN" : transform.id == 0 ? "no ESN" : ""; break;
        default: break;
    }
    if (out.empty()) out = name_of(transform.type) + " " + std::to_string(transform.id);
    if (transform.key_bits) out += ", " + std::to_string(*transform.key_bits) + " bits";
    if (!transform.understood) out += ", with attributes unknown to us";
    return out;
}

std::string text_of(const Id& id) {
    std::string out = name_of(id.type) + " ";
    switch (id.type) {
        case IdType::ipv4_addr:
        case IdType::ipv6_addr:
            // not every Id was parsed: one of our own may be of any size
            if (id.data.size() == (id.type == IdType::ipv4_addr ? 4 : 16))
                return out + Address::from_octets(id.data).text();
            return out + hex(id.data);
        case IdType::fqdn:
        case IdType::rfc822_addr:
        case IdType::key_id: return out + quoted(id.data);
        case IdType::der_asn1_dn:
        case IdType::der_asn1_gn: break;
    }
    return out + hex(id.data);
}

std::string text_of(const TrafficSelector& ts) {
    std::string out = ts.low.text();
    if (ts.low != ts.high) out += " to " + ts.high.text();
    out += ts.protocol == 0 ? ", any protocol" : ", protocol " + std::to_string(ts.protocol);
    if (ts.low_port == 65535 && ts.high_port == 0) return out + ", ports opaque";
    if (ts.low_port == 0 && ts.high_port == 65535) return out + ", any port";
    out += ", ports " + std::to_string(ts.low_port);
    return ts.low_port == ts.high_port ? out : out + " to " + std::to_string(ts.high_port);
}

/// Whether the notification's data may stand in a log: what is known to hold neither keys nor proofs.
bool is_public(NotifyType type) {
    switch (type) {
        case NotifyType::unsupported_critical_payload:
        case NotifyType::invalid_major_version:
        case NotifyType::invalid_message_id:
        case NotifyType::invalid_spi:
        case NotifyType::invalid_ke_payload:
        case NotifyType::set_window_size:
        case NotifyType::ipcomp_supported:
        case NotifyType::nat_detection_source_ip:
        case NotifyType::nat_detection_destination_ip:
        case NotifyType::additional_ip4_address:
        case NotifyType::additional_ip6_address:
        case NotifyType::signature_hash_algorithms: return true;
        default: return false;
    }
}

/// Appends the payload's lines, the first one behind its name.
struct Teller {
    std::string& out;

    void operator()(const Sa& sa) const {
        out += ": " + std::to_string(sa.proposals.size()) + (sa.proposals.size() == 1 ? " proposal" : " proposals");
        for (const Proposal& proposal : sa.proposals) {
            out += "\n  proposal " + std::to_string(proposal.number) + ": " + name_of(proposal.protocol);
            if (!proposal.spi.empty()) out += ", SPI " + hex(proposal.spi);
            for (const Transform& transform : proposal.transforms) out += "\n    " + text_of(transform);
        }
    }
    void operator()(const Ke& ke) const { out += ": " + name_of(ke.method) + ", " + count_of(ke.value.size()); }
    void operator()(const IdInitiator& payload) const { out += ": " + text_of(payload.id); }
    void operator()(const IdResponder& payload) const { out += ": " + text_of(payload.id); }
    void operator()(const Cert& cert) const { encoded(cert.encoding, cert.data); }
    void operator()(const CertReq& request) const { encoded(request.encoding, request.authorities); }
    void operator()(const Auth& auth) const { out += ": " + name_of(auth.method) + ", " + count_of(auth.data.size()); }
    void operator()(const Nonce& nonce) const { out += ": " + count_of(nonce.value.size()); }
    void operator()(const Notify& n) const {
        out += ": " + name_of(n.type);
        if (!n.spi.empty()) out += ", " + name_of(n.protocol) + " SPI " + hex(n.spi);
        if (!n.data.empty()) out += ", " + (is_public(n.type) ? hex(n.data) : count_of(n.data.size()));
    }
    void operator()(const Delete& payload) const {
        out += ": " + name_of(payload.protocol);
        Octets spi;
        for (const std::uint32_t number : payload.spis) {
            spi.clear();
            Writer{spi}.u32(number);
            out += " " + hex(spi);
        }
    }
    void operator()(const VendorId& vendor) const { out += ": " + quoted(vendor.data); }
    void operator()(const TsInitiator& payload) const { selectors(payload.selectors); }
    void operator()(const TsResponder& payload) const { selectors(payload.selectors); }
    void operator()(const Configuration& configuration) const {
        static constexpr const char* types[] = {"", "request", "reply", "set", "ack"};
        const auto type = static_cast<unsigned>(configuration.type);
        out += ": " + (type >= 1 && type <= 4 ? std::string{types[type]} : "type " + std::to_string(type));
        for (const auto& [attribute, value] : configuration.attributes) {
            out += "\n  attribute " + std::to_string(static_cast<unsigned>(attribute));
            if (attribute == CfgAttribute::application_version)
                out += ": " + quoted(value);
            else if (static_cast<unsigned>(attribute) > 31)  // a vendor's own, or newer than we are: who knows
                out += ": " + count_of(value.size());
            else if (!value.empty())
                out += ": " + hex(value);
        }
    }
    void operator()(const Eap& eap) const {  // what is inside may be a proof of a password
        out += ": ";
        if (!eap.message.empty()) out += "code " + std::to_string(std::to_integer<unsigned>(eap.message[0])) + ", ";
        out += count_of(eap.message.size());
    }
    void operator()(const Unknown&) const { out += ": not known to us"; }

private:
    void encoded(CertEncoding encoding, const Octets& data) const {
        out += ": encoding " + std::to_string(static_cast<unsigned>(encoding)) + ", " + count_of(data.size());
    }
    void selectors(const std::vector<TrafficSelector>& selectors) const {
        out += ": " + std::to_string(selectors.size()) + (selectors.size() == 1 ? " selector" : " selectors");
        for (const TrafficSelector& selector : selectors) out += "\n  " + text_of(selector);
    }
};

}  // namespace

PayloadType type_of(const Payload& payload) {
    return std::visit(
        Overloaded{
            [](const Sa&) { return PayloadType::sa; }, [](const Ke&) { return PayloadType::ke; },
            [](const IdInitiator&) { return PayloadType::id_initiator; },
            [](const IdResponder&) { return PayloadType::id_responder; }, [](const Cert&) { return PayloadType::cert; },
            [](const CertReq&) { return PayloadType::certreq; }, [](const Auth&) { return PayloadType::auth; },
            [](const Nonce&) { return PayloadType::nonce; }, [](const Notify&) { return PayloadType::notify; },
            [](const Delete&) { return PayloadType::delete_; }, [](const VendorId&) { return PayloadType::vendor_id; },
            [](const TsInitiator&) { return PayloadType::ts_initiator; },
            [](const TsResponder&) { return PayloadType::ts_responder; },
            [](const Configuration&) { return PayloadType::configuration; },
            [](const Eap&) { return PayloadType::eap; }, [](const Unknown& unknown) { return unknown.type; }},
        payload);
}

const Notify* find_notify(const Payloads& payloads, NotifyType type) {
    for (const Payload& payload : payloads)
        if (const auto* n = std::get_if<Notify>(&payload); n && n->type == type) return n;
    return nullptr;
}

std::string brief(const Payloads& payloads) {
    std::string out;
    for (const Payload& payload : payloads) {
        if (!out.empty()) out += ' ';
        out += name_of(type_of(payload));
        if (const auto* n = std::get_if<Notify>(&payload)) out += "(" + name_of(n->type) + ")";
    }
    return out;
}

std::string in_full(const Payloads& payloads) {
    std::string out;
    for (const Payload& payload : payloads) {
        out += name_of(type_of(payload));
        std::visit(Teller{out}, payload);
        out += '\n';
    }
    return out;
}

}  // namespace torii::ike
