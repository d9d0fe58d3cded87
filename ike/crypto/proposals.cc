// Proposals as words and words as proposals (RFC 7296 3.3, RFC 9370 2.2.1; the words are strongSwan's).
#include <algorithm>
#include <array>

#include "ike/crypto/key_exchange.h"
#include "ike/crypto/words.h"

namespace torii::ike {
namespace {

/// Other spellings of a word.
struct Alias {
    std::string_view spelled, word;
};
constexpr Alias aliases[]{{"aes", "aes128"},
                          {"aes128gcm", "aes128gcm16"},
                          {"aes192gcm", "aes192gcm16"},
                          {"aes256gcm", "aes256gcm16"},
                          {"aes128gcm128", "aes128gcm16"},
                          {"aes192gcm128", "aes192gcm16"},
                          {"aes256gcm128", "aes256gcm16"},
                          {"aes128ccm128", "aes128ccm16"},
                          {"aes192ccm128", "aes192ccm16"},
                          {"aes256ccm128", "aes256ccm16"},
                          {"chacha20", "chacha20poly1305"},
                          {"camellia", "camellia128"},
                          {"blowfish", "blowfish128"},
                          {"sha", "sha1"},
                          {"sha2_256", "sha256"},
                          {"sha2_384", "sha384"},
                          {"sha2_512", "sha512"},
                          {"curve25519", "x25519"}};

/// Words that others have and we refuse, with the reason.
struct Forbidden {
    std::string_view word, why;
};
constexpr Forbidden forbidden[]{
    {"des", "DES must not be used (RFC 8247 2.1, RFC 8221 5)"},
    {"cast128", "CAST must not be used (RFC 8221 5)"},
    {"md5", "HMAC-MD5 must not be used (RFC 8247 2.3, RFC 8221 6)"},
    {"md5_128", "HMAC-MD5 must not be used (RFC 8247 2.3, RFC 8221 6)"},
    {"prfmd5", "HMAC-MD5 must not be used (RFC 8247 2.2)"},
    {"modp768", "768-bit MODP must not be used (RFC 8247 2.4)"},
    {"modp1024s160", "MODP groups with small subgroups are not done (RFC 8247 2.4)"},
    {"modp2048s224", "MODP groups with small subgroups are not done (RFC 8247 2.4)"},
    {"modp2048s256", "MODP groups with small subgroups are not done (RFC 8247 2.4)"},
};

Transform transform(TransformType type, auto id) { return {.type = type, .id = static_cast<std::uint16_t>(id)}; }

Transform transform(const EncrInfo& row) {
    Transform out = transform(TransformType::encr, row.id);
    if (row.key_bits != 0) out.key_bits = row.key_bits;
    return out;
}

template <class Row>
const Row* row_named(std::span<const Row> table, std::string_view word) {
    const auto found = std::ranges::find(table, word, &Row::word);
    return found == table.end() ? nullptr : &*found;
}

/// What the words of one proposal come to, each type in the order in which it was written.
class Parser {
public:
    Parser(ProtocolId protocol, LegacyAlgorithms legacy) : protocol_(protocol), legacy_(legacy) {}

    Result<Proposal> parse(std::string_view words) {
        const std::string whole{words};
        for (;;) {
            const std::size_t end = words.find('-');
            if (auto taken = take(words.substr(0, end)); !taken)
                return std::unexpected(std::move(taken).error().in("proposal '" + whole + "'"));
            if (end == std::string_view::npos) break;
            words.remove_prefix(end + 1);
        }
        auto done = finish();
        if (!done) return std::unexpected(std::move(done).error().in("proposal '" + whole + "'"));
        return done;
    }

private:
    bool for_ike() const { return protocol_ == ProtocolId::ike; }
    bool with_encr() const { return protocol_ != ProtocolId::ah; }
    std::string what() const { return protocol_ == ProtocolId::ah ? "AH" : for_ike() ? "IKE" : "ESP"; }

    Result<void> take(std::string_view spelled) {
        const auto* const alias = std::ranges::find(aliases, spelled, &Alias::spelled);
        const std::string_view word = alias == std::end(aliases) ? spelled : alias->word;
        const auto* const refused = std::ranges::find(forbidden, word, &Forbidden::word);
        if (refused != std::end(forbidden))
            return fail(Errc::unsupported, "'" + std::string{spelled} + "' is refused: " + std::string{refused->why});
        if (const auto* row = row_named(encrs(), word);
            row && with_encr() && (for_ike() ? row->for_ike : row->for_esp)) {
            (row->aead() ? any_aead_ : any_plain_) = true;
            return add(encr_, transform(*row), spelled, row->legacy);
        }
        if (const auto* row = row_named(integs(), word))
            return add(integ_, transform(TransformType::integ, row->id), spelled, row->legacy);
        if (const auto* row = row_named(prfs(), word); row && for_ike())
            return add(prf_, transform(TransformType::prf, row->id), spelled, row->legacy);
        if (const auto index = additional_index(word)) return take_additional(*index, spelled);
        if (const auto* row = row_named(kes(), word)) {
            if (for_ike() && row->id == KeMethod::mlkem1024)
                return fail(Errc::unsupported, "'" + std::string{spelled} +
                                                   "' is refused: it does not fit IKE_SA_INIT, which cannot be cut "
                                                   "(RFC 9242 1); as ke1_mlkem1024 it may stand behind another one");
            return add_exchange(ke_, TransformType::ke, *row, spelled);
        }
        if (!for_ike() && word == "esn") return add(esn_, transform(TransformType::esn, EsnId::esn), spelled, false);
        if (!for_ike() && word == "noesn") return add(esn_, transform(TransformType::esn, EsnId::none), spelled, false);
        return fail(Errc::unsupported,
                    "there is no '" + std::string{spelled} + "' for " + what() + "; there are " + known_words());
    }

    /// "ke1_" is 0, up to "ke7_".
    static std::optional<std::size_t> additional_index(std::string_view word) {
        if (word.size() < 5 || !word.starts_with("ke") || word[3] != '_' || word[2] < '1' || word[2] > '7') return {};
        return static_cast<std::size_t>(word[2] - '1');
    }

    Result<void> take_additional(std::size_t index, std::string_view spelled) {
        const std::string_view word = spelled.substr(4);
        const TransformType type = additional_ke(index);
        if (word == "none") return add(additional_[index], transform(type, KeMethod::none), spelled, false);
        const auto* const alias = std::ranges::find(aliases, word, &Alias::spelled);
        if (const auto* row = row_named(kes(), alias == std::end(aliases) ? word : alias->word))
            return add_exchange(additional_[index], type, *row, spelled);
        return fail(Errc::unsupported, "there is no additional key exchange '" + std::string{spelled} +
                                           "'; there are " + known_kes() + ", none, each behind ke1_ to ke7_");
    }

    Result<void> add_exchange(std::vector<Transform>& to, TransformType type, const KeInfo& row,
                              std::string_view spelled) {
        if (const auto lack = KeyExchange::lacking(row.id))
            return fail(Errc::unsupported, "'" + std::string{spelled} + "': " + *lack);
        return add(to, transform(type, row.id), spelled, row.legacy);
    }

    Result<void> add(std::vector<Transform>& to, Transform transform, std::string_view word, bool legacy) {
        if (legacy && legacy_ == LegacyAlgorithms::refused)
            return fail(Errc::unsupported, "'" + std::string{word} +
                                               "' is refused: it is too weak (RFC 8247, RFC 8221), and legacy "
                                               "algorithms are not allowed here");
        if (std::ranges::find(to, transform) != to.end())
            return fail(Errc::bad_syntax, "'" + std::string{word} + "' stands there twice");
        to.push_back(std::move(transform));
        return {};
    }

    Result<Proposal> finish() {
        if (with_encr() && encr_.empty()) return fail(Errc::bad_syntax, "it names no encryption");
        if (any_aead_ && any_plain_)
            return fail(Errc::bad_syntax,
                        "ciphers that authenticate by themselves and others must be separate proposals (RFC 7296 3.3)");
        if (for_ike()) TORII_CHECK(finish_ike());
        if (!any_aead_ && integ_.empty())
            return fail(Errc::bad_syntax,
                        protocol_ == ProtocolId::ah
                            ? "it names no integrity"
                            : "it names no integrity, and its cipher does not authenticate by itself");
        if (any_aead_ && !integ_.empty())
            return fail(Errc::bad_syntax,
                        "the cipher authenticates by itself and takes no integrity beside it "
                        "(RFC 7296 3.3)");
        if (ke_.empty() && std::ranges::any_of(additional_, [](const auto& part) { return !part.empty(); }))
            return fail(Errc::bad_syntax, "additional key exchanges need one that they add to, as for example x25519");
        if (!for_ike() && esn_.empty()) esn_.push_back(transform(TransformType::esn, EsnId::none));
        Proposal out{.protocol = protocol_};
        for (const auto* const part : {&encr_, &prf_, &integ_, &ke_, &esn_})
            out.transforms.insert(out.transforms.end(), part->begin(), part->end());
        for (const auto& part : additional_) out.transforms.insert(out.transforms.end(), part.begin(), part.end());
        return out;
    }

    /// Where no PRF is named, the hashes of the integrities are it; beside an AEAD that is all they are good for.
    Result<void> finish_ike() {
        if (prf_.empty()) {
            for (const Transform& integ : integ_) {
                const auto prf = prf_of(IntegId{integ.id});
                if (!prf)
                    return fail(Errc::bad_syntax, "it names no PRF, and '" + word_of(integ) + "' has none of its own");
                prf_.push_back(transform(TransformType::prf, *prf));
            }
            if (prf_.empty()) return fail(Errc::bad_syntax, "it names no PRF, as for example prfsha256");
            if (any_aead_) integ_.clear();
        }
        if (ke_.empty()) return fail(Errc::bad_syntax, "it names no key exchange, as for example x25519");
        return {};
    }

    std::string known_kes() const {
        std::string out;
        for (const KeInfo& row : kes())
            if (!row.legacy || legacy_ == LegacyAlgorithms::allowed)
                out.append(out.empty() ? "" : ", ").append(row.word);
        return out;
    }

    std::string known_words() const {
        std::string out;
        const auto tell = [&](const auto& table, auto usable) {
            for (const auto& row : table)
                if (usable(row) && (!row.legacy || legacy_ == LegacyAlgorithms::allowed))
                    out.append(out.empty() ? "" : ", ").append(row.word);
        };
        tell(encrs(), [&](const EncrInfo& row) { return with_encr() && (for_ike() ? row.for_ike : row.for_esp); });
        tell(integs(), [](const IntegInfo&) { return true; });
        tell(prfs(), [&](const PrfInfo&) { return for_ike(); });
        tell(kes(), [](const KeInfo&) { return true; });
        out += ", and key exchanges behind ke1_ to ke7_";
        return for_ike() ? out : out + ", esn, noesn";
    }

    ProtocolId protocol_;
    LegacyAlgorithms legacy_;
    std::vector<Transform> encr_, prf_, integ_, ke_, esn_;
    std::array<std::vector<Transform>, additional_kes> additional_;
    bool any_aead_ = false, any_plain_ = false;
};

std::vector<Proposal> numbered(ProtocolId protocol, std::initializer_list<std::string_view> texts) {
    std::vector<Proposal> out;
    for (const std::string_view text : texts) {
        out.push_back(Parser{protocol, LegacyAlgorithms::refused}.parse(text).value());
        out.back().number = static_cast<std::uint8_t>(out.size());
    }
    return out;
}

void append(std::string& out, const std::string& word) { out.append(out.empty() ? "" : "-").append(word); }

std::string encr_word(const Transform& transform) {
    const EncrId id{transform.id};
    if (const EncrInfo* row = find(id, transform.key_bits.value_or(0)); row != nullptr) return std::string{row->word};
    std::string out = name_of(id);
    if (transform.key_bits) return out + "(" + std::to_string(*transform.key_bits) + " bits)";
    const bool keyed = std::ranges::any_of(encrs(), [&](const EncrInfo& row) { return row.id == id; });
    return keyed ? out + "(no key length)" : out;
}

/// "ke1_" of ADDKE1 and so on.
std::string prefix_of(TransformType additional) {
    return "ke" + std::to_string(additional_place(additional) + 1) + "_";
}

std::string plain_word(const Transform& transform) {
    if (is_additional_ke(transform.type))
        return prefix_of(transform.type) +
               (transform.id == 0 ? "none" : plain_word({.type = TransformType::ke, .id = transform.id}));
    const auto word = [](const auto* row, const auto& id) { return row ? std::string{row->word} : name_of(id); };
    switch (transform.type) {
        case TransformType::encr: return encr_word(transform);
        case TransformType::prf: return word(find(PrfId{transform.id}), PrfId{transform.id});
        case TransformType::integ: return word(find(IntegId{transform.id}), IntegId{transform.id});
        case TransformType::ke: return word(find(KeMethod{transform.id}), KeMethod{transform.id});
        case TransformType::esn:
            if (transform.id <= 1) return transform.id == 1 ? "esn" : "noesn";
            break;
        default: break;
    }
    return name_of(transform.type) + " " + std::to_string(transform.id);
}

}  // namespace

Result<Proposal> parse_ike_proposal(std::string_view words, LegacyAlgorithms legacy) {
    return Parser{ProtocolId::ike, legacy}.parse(words);
}

Result<Proposal> parse_child_proposal(ProtocolId protocol, std::string_view words, LegacyAlgorithms legacy) {
    if (protocol != ProtocolId::esp && protocol != ProtocolId::ah)
        return fail(Errc::internal, name_of(protocol) + " is no protocol of child SAs");
    return Parser{protocol, legacy}.parse(words);
}

std::vector<Proposal> default_ike_proposals() {
    return numbered(ProtocolId::ike,
                    {"aes128gcm16-aes256gcm16-chacha20poly1305-prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-"
                     "ecp521-modp2048-modp3072-modp4096",
                     "aes128-aes256-sha256-sha384-sha512-prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-ecp521-"
                     "modp2048-modp3072-modp4096"});
}

std::vector<Proposal> default_child_proposals(ProtocolId protocol) {
    if (protocol == ProtocolId::ah) return numbered(protocol, {"sha256-sha384-sha512-esn-noesn"});
    return numbered(protocol, {"aes128gcm16-aes256gcm16-chacha20poly1305-esn-noesn",
                               "aes128-aes256-sha256-sha384-sha512-esn-noesn"});
}

std::string word_of(const Transform& transform) {
    return plain_word(transform) + (transform.understood ? "" : "(attribute that is not understood)");
}

std::string text_of(const Proposal& proposal) {
    std::string out;
    const bool esn = std::ranges::any_of(proposal.transforms, [](const Transform& transform) {
        return transform.type == TransformType::esn && transform.id != 0;
    });
    for (const Transform& transform : proposal.transforms)
        if (esn || transform.type != TransformType::esn) append(out, word_of(transform));  // noesn alone goes unsaid
    return out.empty() ? "nothing" : out;
}

std::string text_of(const std::vector<Proposal>& proposals) {
    std::string out;
    for (const Proposal& proposal : proposals) out.append(out.empty() ? "" : ", ").append(text_of(proposal));
    return out.empty() ? "nothing" : out;
}

std::string text_of(const Suite& suite) {
    std::string out;
    const bool ike = suite.prf != PrfId{};
    Transform encr = transform(TransformType::encr, suite.encr);
    if (suite.encr_key_bits != 0) encr.key_bits = suite.encr_key_bits;
    const bool ah = !ike && suite.encr == EncrId::null;  // or ESP with NULL: the words are the same but for one
    if (!ah) append(out, encr_word(encr));
    if (ike) append(out, plain_word(transform(TransformType::prf, suite.prf)));
    if (suite.integ != IntegId::none) append(out, plain_word(transform(TransformType::integ, suite.integ)));
    if (suite.ke != KeMethod::none) append(out, plain_word(transform(TransformType::ke, suite.ke)));
    for (std::size_t i = 0; i < additional_kes; ++i)
        if (suite.additional[i] != KeMethod::none)
            append(out, plain_word(transform(additional_ke(i), suite.additional[i])));
    if (suite.esn) append(out, "esn");
    return out.empty() ? "nothing" : out;
}

}  // namespace torii::ike
