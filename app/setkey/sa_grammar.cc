// What names an SA, the options that shape it, and its algorithms with their keys. From the SPI on an error quotes the
// last word that was understood, and an algorithm instead of its key: what was not understood could be key material.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>

#include "app/setkey/grammar.h"
#include "app/setkey/setkey.h"
#include "crypto/registry.h"

namespace torii::setkey {
namespace {

using control::SaId;
using control::SaSpec;
using control::Spi;

constexpr unsigned max_tfc_octets = 9000;  // no MTU is larger
constexpr unsigned max_dummies_per_second = 1000;
constexpr std::uint64_t any_u64 = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t any_u32 = std::numeric_limits<std::uint32_t>::max();

std::optional<IpsecProtocol> protocol_of(const Token& token) {
    if (token.is("esp") || token.is("esp-old") || token.is("esp-udp")) return IpsecProtocol::esp;
    if (token.is("ah") || token.is("ah-old")) return IpsecProtocol::ah;
    if (token.is("ipcomp")) return IpsecProtocol::ipcomp;
    return std::nullopt;
}

/// Protocols that setkey has elsewhere, and those whose SAs they are among: KAME tells SAs apart no further.
struct NotOffered {
    std::string_view word, why;
    std::optional<IpsecProtocol> among;
};
constexpr NotOffered not_offered[] = {
    {"tcp", "tcp is TCP-MD5 (RFC 2385), which signs a host's own sessions: a gateway has none", std::nullopt},
};
const NotOffered* not_offered_here(const Token& token) {
    const auto* const row = std::ranges::find_if(not_offered, [&](const NotOffered& r) { return token.is(r.word); });
    return row == std::end(not_offered) ? nullptr : row;
}

Result<IpsecProtocol> parse_offered_protocol(Cursor& in) {
    if (const auto protocol = protocol_of(in.token())) {
        in.take();
        return *protocol;
    }
    if (const auto* const row = not_offered_here(in.token())) return in.fail(Errc::unsupported, row->why);
    return in.fail(Errc::bad_syntax, "a protocol is needed: esp, ah or ipcomp");
}

/// The current token is the protocol of an SA between `ends`, esp-udp perhaps with the address that NAT hides behind
/// it.
Result<std::optional<control::UdpEncapsulation>> look_for_udp(const Cursor& in, const SaEnds& ends) {
    const bool with_port = ends.source_port != 0 || ends.destination_port != 0;
    if (!in.token().is("esp-udp")) {
        if (with_port) return in.fail(Errc::bad_value, "the ends of an SA have ports for esp-udp alone");
        return std::nullopt;
    }
    control::UdpEncapsulation udp;
    if (ends.source_port != 0) udp.source_port = ends.source_port;
    if (ends.destination_port != 0) udp.destination_port = ends.destination_port;
    return udp;
}

/// Behind esp-udp an address may stand, which no SPI looks like.
Result<std::optional<Address>> parse_original_address(Cursor& in) {
    if (in.token().text.find_first_of(".:") == std::string_view::npos) return std::nullopt;
    TORII_TRY(const auto address, parse_address(in, std::nullopt));
    return address;
}

Result<Spi> parse_spi(Cursor& in) {
    if (!in.token().is_hex()) {
        TORII_TRY(const auto number, in.number("an SPI", 0, any_u32));
        return Spi{static_cast<std::uint32_t>(number)};
    }
    const auto digits = in.token().text.substr(2);
    std::uint32_t number = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), number, 16).ec != std::errc{})
        return in.fail(Errc::bad_value, "an SPI has 32 bits");
    in.take();
    return Spi{number};
}

std::uint64_t* limit_named(std::string_view option, SaSpec& spec) {
    if (option == "-lh") return &spec.hard.seconds;
    if (option == "-ls") return &spec.soft.seconds;
    if (option == "-bh") return &spec.hard.octets;
    if (option == "-bs") return &spec.soft.octets;
    if (option == "-ph") return &spec.hard.packets;
    if (option == "-ps") return &spec.soft.packets;
    return nullptr;
}

Result<void> parse_mode(Cursor& in, SaSpec& spec) {
    if (in.token().is("transport"))
        spec.mode = Mode::transport;
    else if (in.token().is("tunnel"))
        spec.mode = Mode::tunnel;
    else if (in.token().is("any"))
        spec.mode = Mode::any;
    else
        return in.fail(Errc::bad_syntax, "-m takes transport, tunnel or any");
    in.take();
    return {};
}

/// "tfc:1400", "dummy:10": ours.
Result<void> parse_hiding(Cursor& in, SaSpec& spec) {
    const std::string_view word = in.token().text, name = word.substr(0, word.find(':'));
    const bool is_tfc = name == "tfc";
    unsigned number = 0;
    const std::string_view digits = word.substr(name.size() + 1);
    const auto [end, problem] = std::from_chars(digits.begin(), digits.end(), number);
    const bool fits = number != 0 && number <= (is_tfc ? max_tfc_octets : max_dummies_per_second);
    if (problem != std::errc{} || end != digits.end() || !fits)
        return in.fail(Errc::bad_value, is_tfc ? "-f tfc: takes 1 to 9000 octets, as in tfc:1400"
                                               : "-f dummy: takes 1 to 1000 packets a second, as in dummy:10");
    (is_tfc ? spec.tfc_octets : spec.dummies_per_second) = static_cast<std::uint16_t>(number);
    in.take();
    return {};
}

Result<void> parse_flag(Cursor& in, SaSpec& spec) {
    if (in.token().text.starts_with("tfc:") || in.token().text.starts_with("dummy:")) return parse_hiding(in, spec);
    if (in.token().is("seq-pad"))
        spec.padding = control::Padding::sequential;
    else if (in.token().is("random-pad"))
        spec.padding = control::Padding::random;
    else if (in.token().is("zero-pad"))
        spec.padding = control::Padding::zero;
    else if (in.token().is("nocyclic-seq"))
        spec.cyclic_sequence = false;
    else if (in.token().is("esn"))
        spec.extended_sequence = true;
    else if (const auto own = control::add(spec.own, in.token().text); !own && own.error().code == Errc::bad_value)
        return in.fail(Errc::bad_value, "-f " + own.error().message);
    else if (!own)
        return in.fail(
            Errc::bad_syntax,
            "-f takes seq-pad, random-pad, zero-pad, nocyclic-seq, esn, tfc:N, dummy:N, or a setting of outer "
            "headers as in dfbit:clear");
    in.take();
    return {};
}

/// The current token is an option that is none of the algorithms'.
Result<void> parse_extension(Cursor& in, SaSpec& spec) {
    if (in.token().is("-ctx")) return in.fail(Errc::unsupported, no_contexts);
    auto* const limit = limit_named(in.token().text, spec);
    const bool known =
        limit || in.token().is("-m") || in.token().is("-f") || in.token().is("-r") || in.token().is("-u");
    if (!known) return in.fail(Errc::bad_syntax, "there is no such option");
    const Token option = in.take();
    if (option.is("-m")) return parse_mode(in, spec);
    if (option.is("-f")) return parse_flag(in, spec);
    if (option.is("-r")) {
        TORII_TRY(const auto octets, in.number("-r", 0, max_replay_octets));
        spec.replay_octets = static_cast<std::uint32_t>(octets);
    } else if (option.is("-u")) {
        TORII_TRY(const auto id, in.number("-u", 0, any_u32));
        spec.reqid = ReqId{static_cast<std::uint32_t>(id)};
    } else {
        TORII_TRY(*limit, in.number(option.text, 0, any_u64));
    }
    return {};
}

/// Octets of "text" or 0x digits; of an odd count of digits the first stands alone, as KAME has it.
SecretBytes octets_of(const Token& key) {
    if (key.kind == Token::Kind::quoted) return SecretBytes{std::as_bytes(std::span{key.text})};
    const auto digits = key.text.substr(2);
    SecretBytes octets{(digits.size() + 1) / 2};
    std::size_t from = 0;
    for (std::byte& octet : octets.octets()) {
        const std::size_t count = from == 0 && digits.size() % 2 == 1 ? 1 : 2;
        std::uint8_t value = 0;
        std::from_chars(digits.data() + from, digits.data() + from + count, value, 16);
        octet = std::byte{value};
        from += count;
    }
    return octets;
}

/// Longer words and hexadecimal digits may be a key, or a name and a key run together.
bool could_be_name(const Token& token) {
    constexpr std::size_t longest_name = 17;  // chacha20-poly1305
    return token.kind == Token::Kind::word && token.text.size() <= longest_name && !token.is_hex();
}

template <class Id>
struct Keyed {
    Id id;
    SecretBytes key;
};

/// name [key]; `named` finds the name in the registry.
template <class Id>
Result<Keyed<Id>> parse_algorithm(Cursor& in, Result<Id> (*named)(std::string_view)) {
    if (!could_be_name(in.token())) return in.fail(Errc::bad_syntax, "an algorithm is needed behind this", in.last());
    const auto id = named(in.token().text);
    if (!id) return in.fail(id.error().code, id.error().message);
    if (in.token().is("simple")) in.warn("'simple' is an obsolete word for null");
    const Token name = in.take();
    if (in.token().kind == Token::Kind::unclosed)
        return in.fail(Errc::bad_syntax, "a quoted key ends on its line", name);
    const bool keyed = in.token().kind == Token::Kind::quoted || in.token().is_hex();
    if (!keyed && !info(*id).key_bits.allows(0))
        return in.fail(Errc::bad_syntax, "a key is needed: \"text\", or 0x and hexadecimal digits", name);
    SecretBytes key = keyed ? octets_of(in.take()) : SecretBytes{};
    if (const auto fits = check_key(*id, key.bits()); !fits)
        return in.fail(fits.error().code, fits.error().message, name);
    if (!in.token().is(';') && !in.token().is("-A"))
        return in.fail(Errc::bad_syntax, "only -A or ';' may stand behind a key, and options before -E", name);
    return Keyed<Id>{*id, std::move(key)};
}

/// The rest of a statement from -A on.
Result<void> parse_authenticator(Cursor& in, SaSpec& spec) {
    const Token name = in.token();
    TORII_TRY(auto auth, parse_algorithm(in, auth_named));
    if (!in.token().is(';')) return in.fail(Errc::bad_syntax, "-A may stand once");
    spec.auth = spec.old ? ah_old_form(auth.id) : auth.id;
    if (spec.old && spec.auth == AuthId::null)
        return in.fail(Errc::bad_value, "ah-old takes keyed-md5, keyed-sha1, hmac-md5 or hmac-sha1", name);
    spec.auth_key = std::move(auth.key);
    return {};
}

Result<void> parse_ah_algorithm(Cursor& in, SaSpec& spec) {
    if (in.token().is("-E") || in.token().is("-C"))
        return in.fail(Errc::bad_value, "ah encrypts and compresses nothing: it takes -A alone");
    if (!in.take_if("-A"))
        return in.fail(Errc::bad_syntax, "an option, or -A and an algorithm, is needed behind this", in.last());
    return parse_authenticator(in, spec);
}

Result<void> parse_compression(Cursor& in, SaSpec& spec) {
    if (in.token().is("-E") || in.token().is("-A"))
        return in.fail(Errc::bad_value, "ipcomp compresses and nothing else: it takes -C alone");
    if (!in.take_if("-C"))
        return in.fail(Errc::bad_syntax, "an option, or -C deflate, is needed behind this", in.last());
    if (in.token().is("oui") || in.token().is("lzs"))
        return in.fail(Errc::unsupported, "this compression is not supported, only deflate is");
    if (!in.take_if("deflate")) return in.fail(Errc::bad_syntax, "-C takes deflate");
    spec.raw_cpi = in.take_if("-R");
    return {};
}

Result<void> parse_esp_algorithms(Cursor& in, SaSpec& spec) {
    if (in.token().is("-A"))
        return in.fail(Errc::bad_value, "esp takes -E before -A; -E null leaves the integrity alone");
    if (in.token().is("-C")) return in.fail(Errc::bad_value, "esp compresses nothing: -C belongs to ipcomp");
    if (!in.take_if("-E"))
        return in.fail(Errc::bad_syntax, "an option, or -E and an algorithm, is needed behind this", in.last());
    const Token name = in.token();
    TORII_TRY(auto cipher, parse_algorithm(in, cipher_named));
    if (name.is("des-32iv") && !spec.old) return in.fail(Errc::bad_value, "des-32iv goes with esp-old alone", name);
    if (name.is("des-deriv") && spec.old)
        return in.fail(Errc::bad_value, "esp-old has no sequence number to derive an IV from: des-32iv", name);
    if (spec.old && in.token().is("-A")) return in.fail(Errc::bad_value, "esp-old has no integrity: -E alone");
    spec.cipher = cipher.id;
    spec.cipher_key = std::move(cipher.key);
    if (!in.token().is("-A")) return {};
    const Token option = in.take();
    TORII_CHECK(parse_authenticator(in, spec));
    if (info(spec.cipher).aead() && spec.auth != AuthId::null)
        return in.fail(Errc::bad_value, "this cipher protects the integrity itself and takes no -A", option);
    return {};
}

Result<void> parse_algorithms(Cursor& in, SaSpec& spec) {
    switch (spec.id.protocol) {
        case IpsecProtocol::esp: return parse_esp_algorithms(in, spec);
        case IpsecProtocol::ah: return parse_ah_algorithm(in, spec);
        case IpsecProtocol::ipcomp: return parse_compression(in, spec);
    }
    return {};
}

}  // namespace

Result<std::optional<IpsecProtocol>> parse_protocol_filter(Cursor& in) {
    if (in.token().is(';')) return std::nullopt;
    auto protocol = protocol_of(in.token());
    if (const auto* const row = not_offered_here(in.token())) {
        if (!row->among) return in.fail(Errc::unsupported, row->why);
        protocol = row->among;
    }
    if (!protocol) return in.fail(Errc::bad_syntax, "esp, ah, ipcomp or ';' is needed");
    in.take();
    return protocol;
}

Result<SaId> parse_sa_id(Cursor& in, const Endpoints& ends) {
    TORII_TRY(const auto protocol, parse_offered_protocol(in));
    if (in.last().is("esp-udp")) TORII_CHECK(parse_original_address(in));
    TORII_TRY(const auto spi, parse_spi(in));
    return SaId{ends.source, ends.destination, protocol, spi};
}

Result<void> parse_extensions(Cursor& in, SaSpec& spec) {
    const auto is_option = [](const Token& t) { return t.kind == Token::Kind::word && t.text.front() == '-'; };
    while (is_option(in.token()) && !in.token().is("-E") && !in.token().is("-A") && !in.token().is("-C"))
        TORII_CHECK(parse_extension(in, spec));
    return {};
}

Result<SaSpec> parse_sa(Cursor& in, const SaEnds& ends) {
    SaSpec spec;
    spec.old = in.token().is("esp-old") || in.token().is("ah-old");
    TORII_TRY(spec.udp, look_for_udp(in, ends));
    if (spec.udp) {
        Cursor behind = in;
        behind.take();
        TORII_TRY(spec.udp->original_address, parse_original_address(behind));
    }
    TORII_TRY(spec.id, parse_sa_id(in, ends));
    if (static_cast<std::uint32_t>(spec.id.spi) < 256 && spec.id.protocol != IpsecProtocol::ipcomp)
        return in.fail(Errc::bad_value, "the SPIs 0 to 255 are reserved (RFC 4303 2.1)", in.last());
    TORII_CHECK(parse_extensions(in, spec));
    if (spec.old && (spec.replay_octets != 0 || spec.extended_sequence))
        return in.fail(Errc::bad_value, "esp-old and ah-old have no sequence numbers: no -r and no -f esn", in.last());
    TORII_CHECK(parse_algorithms(in, spec));
    return spec;
}

}  // namespace torii::setkey
