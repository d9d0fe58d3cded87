#include "ike/message/payloads.h"

#include "octets.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

Address address(const char* text) { return Address::parse(text).value(); }

/// The octets were laid out by hand from the RFC's diagrams: they are neither read nor written by what is tested alone.
void same_on_the_wire(const Payload& payload, std::string_view hexadecimal) {
    const Octets wire = octets(hexadecimal);
    CHECK(build_payloads({payload}) == wire);
    const auto parsed = parse_payloads(type_of(payload), wire);
    REQUIRE(parsed);
    CHECK(*parsed == Payloads{payload});
}

}  // namespace

TEST_CASE("an SA payload holds proposals, they hold transforms, each chain marked at its last (RFC 7296 3.3)") {
    same_on_the_wire(Sa{{{.number = 1,
                          .protocol = ProtocolId::ike,
                          .transforms = {{TransformType::encr, 12, 256}, {TransformType::prf, 5}}},
                         {.number = 2,
                          .protocol = ProtocolId::esp,
                          .spi = octets("c0ffee01"),
                          .transforms = {{TransformType::esn, 0}}}}},
                     "00 00 00 34"                // generic header: 4 + 28 + 20
                     "02 00 00 1c 01 01 00 02"    // more; 28; number 1; IKE; no SPI; two transforms
                     "03 00 00 0c 01 00 00 0c"    // more; 12; ENCR; AES_CBC
                     "80 0e 01 00"                // Key Length in TV form: 256
                     "00 00 00 08 02 00 00 05"    // last; 8; PRF; HMAC_SHA2_256
                     "00 00 00 14 02 03 04 01"    // last; 20; number 2; ESP; SPI of 4; one transform
                     "c0 ff ee 01"                //
                     "00 00 00 08 05 00 00 00");  // last; 8; ESN; none
}

TEST_CASE("a KE payload names its method and holds the public value (RFC 7296 3.4)") {
    same_on_the_wire(Ke{KeMethod::x25519, octets("0102030405")}, "00 00 00 0d 00 1f 00 00 01 02 03 04 05");
}

TEST_CASE("IDi and IDr hold an identity of a type (RFC 7296 3.5)") {
    same_on_the_wire(IdInitiator{{IdType::fqdn, octets("61 2e 62")}}, "00 00 00 0b 02 00 00 00 61 2e 62");
    same_on_the_wire(IdResponder{{IdType::ipv4_addr, octets("0a000102")}}, "00 00 00 0c 01 00 00 00 0a 00 01 02");
    same_on_the_wire(IdResponder{{IdType::key_id, {}}}, "00 00 00 08 0b 00 00 00");
}

TEST_CASE("CERT and CERTREQ hold one encoding and its data (RFC 7296 3.6, 3.7)") {
    same_on_the_wire(Cert{CertEncoding::x509_signature, octets("30 03 02 01 05")}, "00 00 00 0a 04 30 03 02 01 05");
    same_on_the_wire(CertReq{CertEncoding::x509_signature, repeated(20, 0xaa)},
                     "00 00 00 19 04 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    same_on_the_wire(CertReq{CertEncoding::raw_public_key, {}}, "00 00 00 05 0f");
}

TEST_CASE("AUTH holds a method, three reserved octets and its data (RFC 7296 3.8)") {
    same_on_the_wire(Auth{AuthMethod::shared_key, octets("de ad be ef")}, "00 00 00 0c 02 00 00 00 de ad be ef");
}

TEST_CASE("a nonce has nothing but itself (RFC 7296 3.9)") {
    same_on_the_wire(Nonce{repeated(16, 0x5a)}, "00 00 00 14 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
}

TEST_CASE("a notification may name an SA by its SPI, and may hold data (RFC 7296 3.10)") {
    same_on_the_wire(Notify{.type = NotifyType::invalid_ke_payload, .data = octets("00 13")},
                     "00 00 00 0a 00 00 00 11 00 13");
    same_on_the_wire(Notify{ProtocolId::esp, NotifyType::rekey_sa, octets("01020304"), {}},
                     "00 00 00 0c 03 04 40 09 01 02 03 04");
    same_on_the_wire(Notify{.type = NotifyType::use_transport_mode}, "00 00 00 08 00 00 40 07");
}

TEST_CASE("a Delete names SPIs of ESP or AH, or the IKE SA without one (RFC 7296 3.11)") {
    same_on_the_wire(Delete{ProtocolId::esp, {0x01020304, 0xc0ffee02}},
                     "00 00 00 10 03 04 00 02 01 02 03 04 c0 ff ee 02");
    same_on_the_wire(Delete{ProtocolId::ike, {}}, "00 00 00 08 01 00 00 00");
}

TEST_CASE("a vendor id is whatever the vendor likes (RFC 7296 3.12)") {
    same_on_the_wire(VendorId{octets("74 6f 72 69 69")}, "00 00 00 09 74 6f 72 69 69");
}

TEST_CASE("traffic selectors hold a protocol, ports and addresses of one family (RFC 7296 3.13)") {
    same_on_the_wire(
        TsInitiator{{{.protocol = 6,
                      .low_port = 80,
                      .high_port = 443,
                      .low = address("10.0.0.0"),
                      .high = address("10.0.0.255")},
                     {.low = address("2001:db8::"), .high = address("2001:db8::ffff")}}},
        "00 00 00 40 02 00 00 00"                                                  // 8 + 16 + 40; two
        "07 06 00 10 00 50 01 bb 0a 00 00 00 0a 00 00 ff"                          // IPv4; TCP; 16; ports
        "08 00 00 28 00 00 ff ff 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 00"  // IPv6; any; 40; any port
        "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 ff ff");
    same_on_the_wire(TsResponder{{{.protocol = 50,
                                   .low_port = 65535,
                                   .high_port = 0,
                                   .low = address("192.0.2.1"),
                                   .high = address("192.0.2.1")}}},
                     "00 00 00 18 01 00 00 00 07 32 00 10 ff ff 00 00 c0 00 02 01 c0 00 02 01");
}

TEST_CASE("a configuration payload holds attributes, empty where something is asked for (RFC 7296 3.15)") {
    same_on_the_wire(
        Configuration{CfgType::request,
                      {{CfgAttribute::internal_ip4_address, {}}, {CfgAttribute::internal_ip4_dns, octets("0a000001")}}},
        "00 00 00 14 01 00 00 00 00 01 00 00 00 03 00 04 0a 00 00 01");
}

TEST_CASE("an EAP payload holds an EAP message that knows its own length (RFC 7296 3.16)") {
    same_on_the_wire(Eap{octets("01 07 00 05 01")}, "00 00 00 09 01 07 00 05 01");
}

TEST_CASE("payloads follow each other by the type in the one before, in any order (RFC 7296 2.5, 3.2)") {
    const Payloads payloads{Nonce{repeated(16, 1)}, Ke{KeMethod::ecp256, repeated(4, 2)},
                            notify(NotifyType::initial_contact), Unknown{PayloadType{200}}};
    const Octets wire = octets(
        "22 00 00 14 01010101010101010101010101010101"  // next: 34, KE
        "29 00 00 0c 00 13 00 00 02 02 02 02"           // next: 41, N
        "c8 00 00 08 00 00 40 00"                       // next: 200
        "00 00 00 04");
    CHECK(build_payloads(payloads) == wire);
    const auto parsed = parse_payloads(PayloadType::nonce, wire);
    REQUIRE(parsed);
    CHECK(*parsed == payloads);
}

TEST_CASE("reserved octets and bits are ignored, and so is the critical bit of what is known (RFC 7296 2.5, 3.2)") {
    const auto parsed = parse_payloads(PayloadType::auth, alone(octets("02 ff ff ff 01"), 0xff));
    REQUIRE(parsed);
    CHECK(*parsed == Payloads{Auth{AuthMethod::shared_key, octets("01")}});
    const auto ke = parse_payloads(PayloadType::ke, alone(octets("00 1f ff ff 01"), 0x7f));
    REQUIRE(ke);
    CHECK(*ke == Payloads{Ke{KeMethod::x25519, octets("01")}});
    const auto sa = parse_payloads(PayloadType::sa, alone(octets("00 ff 00 10 01 01 00 01 00 ff 00 08 01 ff 00 14")));
    REQUIRE(sa);
    CHECK(std::get<Sa>(sa->front()).proposals.front().transforms.front() == Transform{TransformType::encr, 20});
    const auto cp = parse_payloads(PayloadType::configuration, alone(octets("02 ff ff ff 80 01 00 00")));
    REQUIRE(cp);
    CHECK(std::get<Configuration>(cp->front()).attributes.front().type == CfgAttribute::internal_ip4_address);
    const auto ts = parse_payloads(PayloadType::ts_initiator,
                                   alone(octets("01 ff ff ff 07 00 00 10 00 00 ff ff 0a 00 00 00 0a 00 00 ff")));
    REQUIRE(ts);
    CHECK(std::get<TsInitiator>(ts->front()).selectors.size() == 1);
}

TEST_CASE("a notification without an SPI has no protocol, whatever it says (RFC 7296 3.10)") {
    const auto parsed = parse_payloads(PayloadType::notify, alone(octets("01 00 40 00")));
    REQUIRE(parsed);
    CHECK(std::get<Notify>(parsed->front()).protocol == ProtocolId::none);
}

TEST_CASE("the number that a notification holds is two octets exactly") {
    CHECK(u16_of(notify_u16(NotifyType::invalid_ke_payload, 31)) == 31);
    CHECK(u16_of(notify(NotifyType::invalid_ke_payload, octets("1f"))) == std::nullopt);
    CHECK(u16_of(notify(NotifyType::invalid_ke_payload, octets("001f00"))) == std::nullopt);
    CHECK(u16_of(notify(NotifyType::invalid_ke_payload)) == std::nullopt);
}
