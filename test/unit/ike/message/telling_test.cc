#include "octets.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

TEST_CASE("a line tells which payloads there are, and which notifications") {
    CHECK(brief({}).empty());
    CHECK(brief({Sa{}, Ke{}, Nonce{}, notify(NotifyType::nat_detection_source_ip), notify(NotifyType::cookie), Delete{},
                 Unknown{PayloadType{99}}}) == "SA KE No N(NAT_DETECTION_SOURCE_IP) N(COOKIE) D payload 99");
}

TEST_CASE("a notification is found by its type, the first of several") {
    const Payloads payloads{VendorId{}, notify(NotifyType::cookie, octets("01")),
                            notify(NotifyType::cookie, octets("02"))};
    CHECK(find_notify(payloads, NotifyType::cookie)->data == octets("01"));
    CHECK(find_notify(payloads, NotifyType::rekey_sa) == nullptr);
    CHECK(find<VendorId>(payloads) != nullptr);
    CHECK(find<Sa>(payloads) == nullptr);
}

TEST_CASE("the highest debug level tells every field in words") {
    const auto address = [](const char* text) { return Address::parse(text).value(); };
    CHECK(in_full({Sa{{{1,
                        ProtocolId::esp,
                        octets("c0ffee01"),
                        {{TransformType::encr, 20, 128}, {TransformType::esn, 0}, {TransformType{99}, 7, {}, false}}}}},
                   IdInitiator{{IdType::fqdn, octets("612e62")}}, IdResponder{{IdType::ipv4_addr, octets("0a000001")}},
                   notify_u16(NotifyType::invalid_ke_payload, 19), Delete{ProtocolId::esp, {0x1000}},
                   TsInitiator{{{.protocol = 6,
                                 .low_port = 80,
                                 .high_port = 80,
                                 .low = address("10.0.0.0"),
                                 .high = address("10.0.0.255")}}},
                   Configuration{CfgType::reply, {{CfgAttribute::internal_ip4_address, octets("0a000005")}}}}) ==
          "SA: 1 proposal\n"
          "  proposal 1: ESP, SPI c0ffee01\n"
          "    ENCR_AES_GCM_16, 128 bits\n"
          "    no ESN\n"
          "    transform type 99 7, with attributes unknown to us\n"
          "IDi: ID_FQDN \"a.b\"\n"
          "IDr: ID_IPV4_ADDR 10.0.0.1\n"
          "N: INVALID_KE_PAYLOAD, 0013\n"
          "D: ESP 00001000\n"
          "TSi: 1 selector\n"
          "  10.0.0.0 to 10.0.0.255, protocol 6, ports 80\n"
          "CP: reply\n"
          "  attribute 1: 0a000005\n");
}

TEST_CASE("no key exchange value, nonce, proof or unknown data is ever told, only its size") {
    const Octets secret = octets("5ec2e75ec2e75ec2e75ec2e75ec2e75e");
    Octets eap = octets("02 07 00 14");
    eap.insert(eap.end(), secret.begin(), secret.end());
    const std::string told =
        in_full({Ke{KeMethod::x25519, secret}, Nonce{secret}, Auth{AuthMethod::shared_key, secret}, Eap{eap},
                 notify(NotifyType::no_ppk_auth, secret), notify(NotifyType::cookie, secret),
                 notify(NotifyType{40000}, secret), Configuration{CfgType::set, {{CfgAttribute{16521}, secret}}}});
    CHECK_FALSE(says(told, "5ec2"));
    CHECK(told ==
          "KE: CURVE25519, 16 octets\n"
          "No: 16 octets\n"
          "AUTH: shared key, 16 octets\n"
          "EAP: code 2, 20 octets\n"
          "N: NO_PPK_AUTH, 16 octets\n"
          "N: COOKIE, 16 octets\n"
          "N: notification 40000, 16 octets\n"
          "CP: set\n"
          "  attribute 16521: 16 octets\n");
}

TEST_CASE("what a peer wrote reaches a log printable and bounded") {
    CHECK(in_full({IdInitiator{{IdType::key_id, octets("61 0a 1b 22 5c 7f ff 00")}}}) ==
          "IDi: ID_KEY_ID \"a\\x0a\\x1b\\x22\\x5c\\x7f\\xff\\x00\"\n");
    CHECK(in_full({VendorId{repeated(60000, 'x')}}) == "V: \"" + std::string(64, 'x') + "\"... (60000 octets)\n");
    CHECK(in_full({IdInitiator{{IdType::ipv4_addr, octets("0102")}}}) == "IDi: ID_IPV4_ADDR 0102\n");
}
