#include "ike/message/message.h"

#include <random>

#include "octets.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

const Header init{
    .initiator_spi = IkeSpi{0x0102030405060708}, .exchange = ExchangeType::ike_sa_init, .from_initiator = true};
const Header auth{.initiator_spi = IkeSpi{0x0102030405060708},
                  .responder_spi = IkeSpi{0x1112131415161718},
                  .exchange = ExchangeType::ike_auth,
                  .response = true,
                  .message_id = 1};

Address address(const char* text) { return Address::parse(text).value(); }

/// One payload of each kind there is.
Payloads everything() {
    const Sa sa{{{1,
                  ProtocolId::ike,
                  {},
                  {{TransformType::encr, 12, 256},
                   {TransformType::prf, 5},
                   {TransformType::integ, 12},
                   {TransformType::ke, 31}}},
                 {2, ProtocolId::esp, octets("01020304"), {{TransformType::encr, 20, 128}, {TransformType::esn, 0}}}}};
    return {sa,
            Ke{KeMethod::x25519, repeated(32, 9)},
            IdInitiator{{IdType::fqdn, octets("612e62")}},
            IdResponder{{IdType::ipv6_addr, repeated(16, 7)}},
            Cert{CertEncoding::x509_signature, repeated(50, 3)},
            CertReq{CertEncoding::x509_signature, repeated(40, 4)},
            Auth{AuthMethod::digital_signature, repeated(64, 5)},
            Nonce{repeated(32, 6)},
            Notify{ProtocolId::esp, NotifyType::rekey_sa, octets("0a0b0c0d"), {}},
            notify(NotifyType::cookie, repeated(20, 8)),
            Delete{ProtocolId::ah, {1000, 1001}},
            VendorId{octets("746f726969")},
            TsInitiator{{{.low = address("10.0.0.0"), .high = address("10.0.0.255")}}},
            TsResponder{{{.protocol = 17,
                          .low_port = 53,
                          .high_port = 53,
                          .low = address("2001:db8::"),
                          .high = address("2001:db8::1")}}},
            Configuration{CfgType::reply, {{CfgAttribute::internal_ip4_address, octets("0a000001")}}},
            Eap{octets("0207000501")},
            Unknown{PayloadType{99}}};
}

std::string why(const Octets& datagram) {
    const auto parsed = split(datagram);
    if (parsed) return {};
    CHECK(parsed.error().notify == NotifyType::invalid_syntax);
    return parsed.error().why;
}

/// `chain` behind a header of IKE_AUTH that says the right length.
Octets datagram(PayloadType first, const Octets& chain, const Header& header = auth) {
    Octets out;
    write_header(out, header, first, header_octets + chain.size());
    out.insert(out.end(), chain.begin(), chain.end());
    return out;
}

/// What a receiver does with a datagram as far as it has no key. Returns whether all of it was read.
bool read_all(std::span<const std::byte> octets) {
    const auto parts = split(octets);
    if (!parts) {
        if (parts.error().why.empty()) FAIL("refused without a reason");
        return false;
    }
    const auto payloads = parse_payloads(parts->first, parts->clear);
    if (!payloads) {
        if (payloads.error().why.empty()) FAIL("refused without a reason");
        return false;
    }
    brief(*payloads);
    in_full(*payloads);
    return true;
}

}  // namespace

TEST_CASE("the header has the RFC's 28 octets (RFC 7296 3.1)") {
    Octets out;
    write_header(out,
                 {.initiator_spi = IkeSpi{0x0102030405060708},
                  .responder_spi = IkeSpi{0x1112131415161718},
                  .exchange = ExchangeType::create_child_sa,
                  .from_initiator = true,
                  .message_id = 0x21222324},
                 PayloadType::encrypted, 0x31323334);
    CHECK(out == octets("01 02 03 04 05 06 07 08 11 12 13 14 15 16 17 18 2e 20 24 08 21 22 23 24 31 32 33 34"));
    const auto header = parse_header(out);
    REQUIRE(header);
    CHECK(header->exchange == ExchangeType::create_child_sa);
    CHECK(header->message_id == 0x21222324);
    CHECK((header->from_initiator && !header->response && !header->higher_version));

    Octets flags;
    write_header(flags, {.higher_version = true, .response = true}, PayloadType::none, 28);
    CHECK(flags[19] == std::byte{0x30});
    CHECK(parse_header(flags) == Header{.higher_version = true, .response = true});
    flags[19] = std::byte{0xff & ~0x30};  // reserved bits, and the initiator's
    CHECK(parse_header(flags) == Header{.from_initiator = true});
}

TEST_CASE("the header of another major version is read, its form is not judged (RFC 7296 2.5)") {
    Octets out = build_message(init, {});
    out[17] = std::byte{0x3f};
    const auto header = parse_header(out);
    REQUIRE(header);
    CHECK(header->major == 3);
    CHECK(header->minor == 15);
    for (std::size_t n = 0; n < header_octets; ++n) CHECK_FALSE(parse_header(std::span{out}.first(n)));
    CHECK(says(why({}), "0 octets, less than an IKE header"));
}

TEST_CASE("a message without encryption comes back as it was built, every kind of payload in it") {
    const Octets wire = build_message(init, everything());
    const auto parts = split(wire);
    REQUIRE(parts);
    CHECK(parts->header == init);
    CHECK(parts->first == PayloadType::sa);
    CHECK_FALSE(parts->encrypted);
    CHECK(parse_payloads(parts->first, parts->clear) == everything());
    CHECK(read_all(build_message(init, {})));
}

TEST_CASE("a message is as long as its header says and as its payloads are, to the octet (RFC 7296 3.1)") {
    Octets wire = build_message(init, {Nonce{repeated(16, 1)}});
    REQUIRE(why(wire).empty());
    wire.push_back(std::byte{0});
    CHECK(says(why(wire), "48 octets in a datagram of 49"));
    CHECK(says(why(datagram(PayloadType::nonce, octets("00 00 00 04 00"))), "1 octets behind the last payload"));
    CHECK(says(why(datagram(PayloadType::none, octets("00"))), "behind the last payload"));
    CHECK(says(why(datagram(PayloadType::nonce, octets("00 00 00 05"))), "longer than the octets"));
    CHECK(says(why(datagram(PayloadType::nonce, octets("28 00 00 00"))), "shorter than its own header"));
    const auto of_size = [](std::size_t n) {
        const std::size_t second = n - header_octets - 2 * payload_header_octets - 60000;
        return build_message(init, {VendorId{repeated(60000, 0)}, VendorId{repeated(second, 0)}});
    };
    CHECK(why(of_size(limits::message_octets)).empty());
    CHECK(says(why(of_size(limits::message_octets + 1)), "larger than a UDP datagram"));
    CHECK(why(datagram(PayloadType::vendor_id, build_payloads(Payloads(limits::payloads, VendorId{})))).empty());
    CHECK(says(why(datagram(PayloadType::vendor_id, build_payloads(Payloads(limits::payloads + 1, VendorId{})))),
               "more than 64 payloads"));
}

TEST_CASE("the initiator's SPI is zero in notifications outside of any IKE SA alone (RFC 7296 1.5, 3.1)") {
    CHECK(says(why(build_message({.exchange = ExchangeType::ike_sa_init}, {})), "SPI is zero"));
    CHECK(says(why(build_message({.exchange = ExchangeType::ike_auth}, {})), "SPI is zero"));
    CHECK(
        why(build_message({.exchange = ExchangeType::informational}, {notify(NotifyType::invalid_spi, repeated(4, 1))}))
            .empty());
}

TEST_CASE("SK is the rest of the message; what an AEAD covers ends where the IV begins (RFC 7296 3.14, RFC 5282 5.1)") {
    const Octets wire = datagram(PayloadType::notify, octets("2e 00 00 08 00 00 40 00"           // N, then SK
                                                             "23 00 00 0a a1 a2 a3 a4 a5 a6"));  // SK, IDi inside
    const auto parts = split(wire);
    REQUIRE(parts);
    CHECK(parts->first == PayloadType::notify);
    CHECK(parse_payloads(parts->first, parts->clear) == Payloads{notify(NotifyType::initial_contact)});
    REQUIRE(parts->encrypted);
    CHECK(parts->encrypted->inner_first == PayloadType::id_initiator);
    CHECK(parts->encrypted->associated.data() == wire.data());
    CHECK(parts->encrypted->associated.size() == 28 + 8 + 4);
    CHECK(Octets{parts->encrypted->body.begin(), parts->encrypted->body.end()} == octets("a1a2a3a4a5a6"));
    CHECK(parts->encrypted->fragment == 0);
    CHECK(parts->encrypted->fragments == 0);

    const auto only = split(datagram(PayloadType::encrypted, octets("00 00 00 05 a1")));
    REQUIRE(only);
    CHECK(only->first == PayloadType::none);
    CHECK(only->clear.empty());
    CHECK(parse_payloads(only->first, only->clear) == Payloads{});
}

TEST_CASE("nothing stands behind SK or SKF, and IKE_SA_INIT has neither (RFC 7296 3.14, RFC 7383 2.5)") {
    CHECK(says(why(datagram(PayloadType::encrypted, octets("29 00 00 06 a1 a2 00 00 00 08 00 00 40 00"))),
               "not the last one"));
    CHECK(says(why(datagram(PayloadType::encrypted_fragment, octets("29 00 00 09 00 01 00 01 a1 00 00 00 04"))),
               "not the last one"));
    CHECK(says(why(datagram(PayloadType::encrypted, octets("00 00 00 05 a1 00"))), "not the last one"));
    CHECK(says(why(datagram(PayloadType::encrypted, octets("00 00 00 05 a1"), init)), "IKE_SA_INIT"));
    CHECK(says(why(datagram(PayloadType::encrypted_fragment, octets("00 00 00 09 00 01 00 01 a1"), init)),
               "IKE_SA_INIT"));
}

TEST_CASE("SKF says which fragment of how many it is, from 1 (RFC 7383 2.5)") {
    const Octets wire = datagram(PayloadType::encrypted_fragment, octets("23 00 00 0a 00 02 01 03 a1 a2"));
    const auto parts = split(wire);
    REQUIRE(parts);
    REQUIRE(parts->encrypted);
    CHECK(parts->encrypted->fragment == 2);
    CHECK(parts->encrypted->fragments == 0x103);
    CHECK(parts->encrypted->associated.size() == 28 + 8);
    CHECK(parts->encrypted->body.size() == 2);
    const auto numbered = [](const char* numbers) {
        return why(datagram(PayloadType::encrypted_fragment, octets("00 00 00 09" + std::string{numbers} + "a1")));
    };
    CHECK(numbered("00 01 00 01").empty());
    CHECK(numbered("ff ff ff ff").empty());
    CHECK(says(numbered("00 00 00 01"), "fragment 0 of 1"));
    CHECK(says(numbered("00 00 00 00"), "fragment 0 of 0"));
    CHECK(says(numbered("00 01 00 00"), "fragment 1 of 0"));
    CHECK(says(numbered("00 03 00 02"), "fragment 3 of 2"));
    CHECK(says(why(datagram(PayloadType::encrypted_fragment, octets("00 00 00 07 00 01 00"))),
               "inside its fragment numbers"));
}

TEST_CASE("a message cut short anywhere is refused, and so is one whose header was made to fit the cut") {
    const Octets wire = build_message(init, everything());
    for (std::size_t n = 0; n < wire.size(); ++n) {
        // a copy of the very size: a read behind its end is one that sanitizers see
        Octets cut(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(n));
        CHECK_FALSE(read_all(cut));
        if (n < header_octets) continue;
        cut[24] = cut[25] = std::byte{0};
        cut[26] = static_cast<std::byte>(n >> 8);
        cut[27] = static_cast<std::byte>(n);
        CHECK_FALSE(read_all(cut));
    }
}

TEST_CASE("each payload cut short, its length made to fit, comes to a value or a refusal") {
    for (const Payload& payload : everything()) {
        const Octets whole = build_payloads({payload});
        for (std::size_t n = payload_header_octets; n < whole.size(); ++n) {
            const Octets body(whole.begin() + payload_header_octets, whole.begin() + static_cast<std::ptrdiff_t>(n));
            const auto parsed = parse_payloads(type_of(payload), alone(body));
            if (parsed) {
                CHECK(*parsed != Payloads{payload});
                CHECK(build_payloads(*parsed).size() <= n);
            } else {
                CHECK_FALSE(parsed.error().why.empty());
            }
        }
    }
}

TEST_CASE("ten thousand messages with octets changed at random are read or refused") {
    const Octets wire = build_message(init, everything());
    std::mt19937 random{7296};
    unsigned read = 0, refused = 0;
    for (unsigned i = 0; i < 10'000; ++i) {
        Octets changed = wire;
        for (unsigned n = random() % 4 + 1; n > 0; --n)
            changed[random() % changed.size()] = static_cast<std::byte>(random());
        ++(read_all(changed) ? read : refused);
    }
    CHECK(read > 500);
    CHECK(refused > 500);
}
