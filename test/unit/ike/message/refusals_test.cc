// What a peer may not write, payload by payload; and that nothing else than a refusal comes of it.
#include "octets.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

constexpr PayloadType all_types[] = {PayloadType::sa,           PayloadType::ke,
                                     PayloadType::id_initiator, PayloadType::id_responder,
                                     PayloadType::cert,         PayloadType::certreq,
                                     PayloadType::auth,         PayloadType::nonce,
                                     PayloadType::notify,       PayloadType::delete_,
                                     PayloadType::vendor_id,    PayloadType::ts_initiator,
                                     PayloadType::ts_responder, PayloadType::configuration,
                                     PayloadType::eap};

/// `count` transforms PRF 5, marked as the RFC says.
std::string transforms(unsigned count) {
    std::string out;
    for (unsigned i = 0; i < count; ++i) out += i + 1 < count ? "03 00 00 08 02 00 00 05 " : "00 00 00 08 02 00 00 05";
    return out;
}

std::string two_digits(unsigned value) {
    static constexpr char digits[] = "0123456789abcdef";
    return {digits[value >> 4 & 15], digits[value & 15]};
}
std::string four_digits(unsigned value) { return two_digits(value >> 8) + two_digits(value); }

std::string proposals(unsigned count) {
    std::string out;
    for (unsigned i = 1; i <= count; ++i)
        out += std::string{i < count ? "02" : "00"} + " 00 00 10 " + two_digits(i) + " 01 00 01 " + transforms(1);
    return out;
}

Transform first_transform(std::string_view attributes) {
    const auto size = static_cast<unsigned>(octets(attributes).size());
    const auto parsed =
        parse_payloads(PayloadType::sa, alone(octets("00 00" + four_digits(16 + size) + "01 01 00 01" + "00 00" +
                                                     four_digits(8 + size) + "01 00 00 0c" + std::string{attributes})));
    REQUIRE(parsed);
    return std::get<Sa>(parsed->front()).proposals.front().transforms.front();
}

}  // namespace

TEST_CASE("a payload shorter than its own header is refused, not walked for ever (RFC 7296 3.2)") {
    for (const unsigned length : {0u, 1u, 2u, 3u}) {
        Octets chain = octets("2b 00 00 00");  // a vendor id that says that a vendor id follows
        chain[3] = static_cast<std::byte>(length);
        const auto parsed = parse_payloads(PayloadType::vendor_id, chain);
        REQUIRE_FALSE(parsed);
        CHECK(says(parsed.error().why, "shorter than its own header"));
    }
    CHECK_FALSE(parse_payloads(PayloadType::vendor_id, octets("00 00 00 05")));
    CHECK_FALSE(parse_payloads(PayloadType::vendor_id, octets("00 00 00 04 00")));
    CHECK_FALSE(parse_payloads(PayloadType::vendor_id, octets("2b 00 00 04")));
    CHECK_FALSE(parse_payloads(PayloadType::none, octets("00")));
    CHECK(parse_payloads(PayloadType::none, {}));
}

TEST_CASE("every payload is refused when it ends inside its fixed fields") {
    const std::pair<PayloadType, std::size_t> least[] = {
        {PayloadType::sa, 16},          {PayloadType::ke, 5},           {PayloadType::id_initiator, 4},
        {PayloadType::cert, 1},         {PayloadType::certreq, 1},      {PayloadType::auth, 4},
        {PayloadType::nonce, 16},       {PayloadType::notify, 4},       {PayloadType::delete_, 4},
        {PayloadType::eap, 4},          {PayloadType::ts_initiator, 4}, {PayloadType::ts_responder, 4},
        {PayloadType::configuration, 4}};
    for (const auto& [type, size] : least)
        for (std::size_t n = 0; n < size; ++n) {
            INFO(name_of(type) << " of " << n);
            CHECK_FALSE(refusal(type, repeated(n, 0)).empty());
        }
}

TEST_CASE("proposals and transforms agree with their counts, lengths and marks (RFC 7296 3.3.1, 3.3.2)") {
    const auto sa = [](std::string_view hexadecimal) { return refusal(PayloadType::sa, octets(hexadecimal)); };
    CHECK(sa("00 00 00 10 01 01 00 01" + transforms(1)).empty());
    CHECK(says(sa("02 00 00 10 01 01 00 01" + transforms(1)), "mark of the last"));
    CHECK(says(sa("01 00 00 10 01 01 00 01" + transforms(1)), "mark of the last"));
    CHECK(says(sa("00 00 00 10 01 01 00 01 03 00 00 08 02 00 00 05"), "mark of the last"));
    CHECK(says(sa("00 00 00 10 01 01 00 01" + transforms(1) + proposals(1)), "mark of the last"));
    CHECK(says(sa("00 00 00 10 01 01 00 02" + transforms(1)), "ends inside"));
    CHECK(says(sa("00 00 00 18 01 01 00 01" + transforms(2)), "behind its last field"));
    CHECK(says(sa("00 00 00 08 01 01 00 00"), "without transforms"));
    CHECK(says(sa("00 00 00 03 01 01 00 01" + transforms(1)), "shorter than its own header"));
    CHECK(says(sa("00 00 00 10 01 01 00 01 00 00 00 00 02 00 00 05"), "shorter than its own header"));
    CHECK(says(sa("00 00 00 11 01 01 00 01" + transforms(1)), "ends inside"));
    CHECK(says(sa("00 00 00 14 01 03 04 02 01 02 03 04" + transforms(1)), "ends inside"));
    CHECK(says(sa(""), "ends inside"));
}

TEST_CASE("proposals are numbered one after the other, from whatever number an answer repeats (RFC 7296 3.3.1)") {
    const auto numbered = [](const char* first, const char* second) {
        return refusal(PayloadType::sa, octets("02 00 00 10" + std::string{first} + "01 00 01" + transforms(1) +
                                               "00 00 00 10" + second + "01 00 01" + transforms(1)));
    };
    CHECK(refusal(PayloadType::sa, octets("00 00 00 10 07 01 00 01" + transforms(1))).empty());
    CHECK(numbered("01", "02").empty());
    CHECK(says(numbered("01", "01"), "proposal 1 behind proposal 1"));  // IKEv1's AND of two protocols
    CHECK(says(numbered("01", "03"), "proposal 3 behind proposal 1"));
}

TEST_CASE("an SPI has the length of its protocol's SPIs (RFC 7296 3.3.1, 3.10)") {
    const auto proposal = [](const char* protocol, unsigned spi_octets) {
        const std::string spi(2 * spi_octets, '7');
        return refusal(PayloadType::sa, octets("00 00" + four_digits(16 + spi_octets) + "01" + protocol +
                                               two_digits(spi_octets) + "01" + spi + transforms(1)));
    };
    const auto notification = [](const char* protocol, unsigned spi_octets) {
        return refusal(PayloadType::notify,
                       octets(protocol + two_digits(spi_octets) + "40 09" + std::string(2 * spi_octets, '7')));
    };
    for (unsigned n = 0; n <= 9; ++n) {
        INFO(n);
        CHECK(proposal("01", n).empty() == (n == 0 || n == 8));
        CHECK(proposal("02", n).empty() == (n == 4));
        CHECK(proposal("03", n).empty() == (n == 4));
        CHECK(notification("01", n).empty() == (n == 0 || n == 8));
        CHECK(notification("02", n).empty() == (n == 0 || n == 4));
        CHECK(notification("03", n).empty() == (n == 0 || n == 4));
    }
    CHECK(refusal(PayloadType::notify, octets("04 03 9c 40 01 02 03")).empty());  // of a protocol unknown to us
    CHECK_FALSE(refusal(PayloadType::notify, octets("03 04 40 09 01 02 03")).empty());
}

TEST_CASE("a transform with attributes that we do not know is one nobody may choose (RFC 7296 3.3.6)") {
    CHECK(first_transform("80 0e 00 80") == Transform{TransformType::encr, 12, 128});
    CHECK(first_transform("") == Transform{TransformType::encr, 12});
    CHECK_FALSE(first_transform("80 0f 00 80").understood);              // TV, another type
    CHECK_FALSE(first_transform("00 0f 00 03 01 02 03").understood);     // TLV
    CHECK_FALSE(first_transform("00 0e 00 02 00 80").understood);        // Key Length in TLV form is not Key Length
    CHECK_FALSE(first_transform("80 0e 00 80 80 0e 01 00").understood);  // which one?
    const auto both = first_transform("00 11 00 00 80 0e 01 00");
    CHECK_FALSE(both.understood);
    CHECK(both.key_bits == 256);
    for (const char* cut : {"80", "80 0e", "80 0e 00", "00 0f 00 04 01 02 03", "00 0f ff ff"}) {
        const auto size = static_cast<unsigned>(octets(cut).size());
        INFO(cut);
        CHECK(says(refusal(PayloadType::sa, octets("00 00" + four_digits(16 + size) + "01 01 00 01 00 00" +
                                                   four_digits(8 + size) + "01 00 00 0c" + cut)),
                   "ends inside"));
    }
}

TEST_CASE("a nonce has 16 to 256 octets (RFC 7296 3.9)") {
    CHECK_FALSE(refusal(PayloadType::nonce, repeated(15, 1)).empty());
    CHECK(refusal(PayloadType::nonce, repeated(16, 1)).empty());
    CHECK(refusal(PayloadType::nonce, repeated(256, 1)).empty());
    CHECK_FALSE(refusal(PayloadType::nonce, repeated(257, 1)).empty());
}

TEST_CASE("addresses as identities have the length of addresses (RFC 7296 3.5)") {
    for (const auto type : {PayloadType::id_initiator, PayloadType::id_responder})
        for (unsigned n = 0; n <= 17; ++n) {
            INFO(n);
            const std::string data(2 * n, '1');
            CHECK(refusal(type, octets("01 00 00 00" + data)).empty() == (n == 4));
            CHECK(refusal(type, octets("05 00 00 00" + data)).empty() == (n == 16));
            CHECK(refusal(type, octets("02 00 00 00" + data)).empty());
        }
}

TEST_CASE("authorities of X.509 are whole hashes (RFC 7296 3.7)") {
    for (const char* encoding : {"04", "0c", "0d"}) {
        CHECK(refusal(PayloadType::certreq, octets(encoding)).empty());
        CHECK(refusal(PayloadType::certreq, octets(encoding + std::string(80, 'a'))).empty());
        CHECK(says(refusal(PayloadType::certreq, octets(encoding + std::string(42, 'a'))), "not hashes"));
    }
    CHECK(refusal(PayloadType::certreq, octets("0f" + std::string(42, 'a'))).empty());
}

TEST_CASE("a Delete holds as many SPIs as it says, of four octets, of ESP or AH (RFC 7296 3.11)") {
    CHECK(refusal(PayloadType::delete_, octets("03 04 00 00")).empty());
    CHECK(says(refusal(PayloadType::delete_, octets("03 04 00 02 01020304")), "ends inside"));
    CHECK(says(refusal(PayloadType::delete_, octets("03 04 00 01 01020304 05")), "behind its last field"));
    CHECK(says(refusal(PayloadType::delete_, octets("03 08 00 01 0102030405060708")), "SPIs of 8"));
    CHECK(says(refusal(PayloadType::delete_, octets("03 00 00 ff")), "SPIs of 0"));
    CHECK(says(refusal(PayloadType::delete_, octets("01 08 00 01 0102030405060708")), "SPIs of IKE"));
    CHECK(says(refusal(PayloadType::delete_, octets("01 00 00 00 01")), "behind its last field"));
    CHECK(says(refusal(PayloadType::delete_, octets("00 00 00 00")), "of none"));
    CHECK(says(refusal(PayloadType::delete_, octets("63 04 00 00")), "of protocol 99"));
}

TEST_CASE("traffic selectors have the length of their type, and ranges that are ranges (RFC 7296 3.13.1)") {
    const auto ts = [](const std::string& hexadecimal) {
        return refusal(PayloadType::ts_responder, octets(hexadecimal));
    };
    const std::string v4 = "07 00 00 10 00 00 ff ff 0a 00 00 00 0a 00 00 ff", v6_zeros(64, '0');
    CHECK(ts("01 00 00 00" + v4).empty());
    CHECK(ts("00 00 00 00").empty());
    CHECK(says(ts("02 00 00 00" + v4), "ends inside"));
    CHECK(says(ts("01 00 00 00" + v4 + v4), "behind its last field"));
    CHECK(says(ts("01 00 00 00 07 00 00 0c 00 00 ff ff 0a 00 00 00"), "ends inside"));
    CHECK(says(ts("01 00 00 00 07 00 00 14 00 00 ff ff 0a 00 00 00 0a 00 00 ff 00 00 00 00"), "behind its last"));
    CHECK(says(ts("01 00 00 00 08 00 00 10 00 00 ff ff 0a 00 00 00 0a 00 00 ff"), "ends inside"));
    CHECK(says(ts("01 00 00 00 07 00 00 28 00 00 ff ff" + v6_zeros), "behind its last field"));
    CHECK(says(ts("01 00 00 00 07 00 00 03 00 00 ff ff"), "shorter than its own header"));
    CHECK(says(ts("01 00 00 00 07 00 00 00"), "shorter than its own header"));
    CHECK(says(ts("01 00 00 00 07 00 00 10 00 00 ff ff 0a 00 00 02 0a 00 00 01"), "10.0.0.2 to 10.0.0.1"));
    CHECK(says(ts("01 00 00 00 07 06 00 10 00 50 00 4f 0a 00 00 01 0a 00 00 01"), "80 to 79"));
    CHECK(ts("01 00 00 00 07 06 00 10 ff ff 00 00 0a 00 00 01 0a 00 00 01").empty());  // OPAQUE
}

TEST_CASE("a traffic selector of an unknown type is passed over, the others count") {
    const auto parsed = parse_payloads(PayloadType::ts_initiator,
                                       alone(octets("03 00 00 00 09 00 00 08 01 02 03 04"
                                                    "07 00 00 10 00 00 ff ff 0a 00 00 00 0a 00 00 ff 0a 00 00 04")));
    REQUIRE(parsed);
    CHECK(std::get<TsInitiator>(parsed->front()).selectors.size() == 1);
    const auto none = parse_payloads(PayloadType::ts_initiator, alone(octets("01 00 00 00 09 00 00 04")));
    REQUIRE(none);
    CHECK(std::get<TsInitiator>(none->front()).selectors.empty());
}

TEST_CASE("configuration attributes are empty or as long as the RFC lists them (RFC 7296 3.15.1)") {
    const std::pair<unsigned, unsigned> lengths[] = {{1, 4}, {2, 4}, {3, 4}, {8, 17}, {10, 16}, {13, 8}, {15, 17}};
    for (const auto& [type, length] : lengths)
        for (unsigned n = 0; n <= 18; ++n) {
            INFO(type << " of " << n);
            const auto body = octets("01 00 00 00" + four_digits(type) + four_digits(n) + std::string(2 * n, '0'));
            CHECK(refusal(PayloadType::configuration, body).empty() == (n == 0 || n == length));
        }
    CHECK(refusal(PayloadType::configuration, octets("01 00 00 00 00 07 00 03 61 62 63")).empty());
    CHECK(refusal(PayloadType::configuration, octets("01 00 00 00 7f ff 00 01 61")).empty());
    CHECK(says(refusal(PayloadType::configuration, octets("01 00 00 00 00 07 00 04 61 62 63")), "ends inside"));
    CHECK(says(refusal(PayloadType::configuration, octets("01 00 00 00 00 07 00")), "ends inside"));
}

TEST_CASE("an EAP message is as long as it says (RFC 7296 3.16)") {
    CHECK(refusal(PayloadType::eap, octets("03 01 00 04")).empty());
    CHECK_FALSE(refusal(PayloadType::eap, octets("03 01 00 05")).empty());
    CHECK_FALSE(refusal(PayloadType::eap, octets("03 01 00 04 00")).empty());
    CHECK_FALSE(refusal(PayloadType::eap, octets("01 01 00 00 04")).empty());
}

TEST_CASE("what a peer chooses the number of has a limit, and one more is refused") {
    CHECK(refusal(PayloadType::sa, octets(proposals(limits::proposals))).empty());
    CHECK(says(refusal(PayloadType::sa, octets(proposals(limits::proposals + 1))), "more than 64 proposals"));
    const auto with_transforms = [](unsigned n) {
        return octets("00 00" + four_digits(8 + 8 * n) + "01 01 00" + two_digits(n) + transforms(n));
    };
    CHECK(refusal(PayloadType::sa, with_transforms(limits::transforms)).empty());
    CHECK(says(refusal(PayloadType::sa, with_transforms(limits::transforms + 1)), "more than 128 transforms"));

    const auto selectors = [](unsigned n) {
        Octets out = octets(two_digits(n) + "00 00 00");
        for (unsigned i = 0; i < n; ++i) {
            const Octets one = octets("07 00 00 10 00 00 ff ff 0a 00 00 00 0a 00 00 ff");
            out.insert(out.end(), one.begin(), one.end());
        }
        return out;
    };
    CHECK(refusal(PayloadType::ts_initiator, selectors(limits::traffic_selectors)).empty());
    CHECK(says(refusal(PayloadType::ts_initiator, selectors(limits::traffic_selectors + 1)), "more than 64"));

    const auto deleted = [](unsigned n) { return octets("03 04" + four_digits(n) + std::string(8 * n, '1')); };
    CHECK(refusal(PayloadType::delete_, deleted(limits::delete_spis)).empty());
    CHECK(says(refusal(PayloadType::delete_, deleted(limits::delete_spis + 1)), "more than 256 SPIs"));

    CHECK(refusal(PayloadType::cert, repeated(1 + limits::certificate_octets, 4)).empty());
    CHECK(says(refusal(PayloadType::cert, repeated(2 + limits::certificate_octets, 4)), "more than 16384"));

    const auto attributes = [](std::size_t n) {
        Octets out = repeated(4 + 4 * n, 0);
        out[0] = std::byte{1};
        return out;
    };
    CHECK(refusal(PayloadType::configuration, attributes(limits::configuration_attributes)).empty());
    CHECK(says(refusal(PayloadType::configuration, attributes(limits::configuration_attributes + 1)),
               "more than 64 attributes"));

    const Payloads many(limits::payloads, VendorId{});
    CHECK(parse_payloads(PayloadType::vendor_id, build_payloads(many)) == many);
    const auto more =
        parse_payloads(PayloadType::vendor_id, build_payloads(Payloads(limits::payloads + 1, VendorId{})));
    REQUIRE_FALSE(more);
    CHECK(says(more.error().why, "more than 64 payloads"));
}

TEST_CASE("an unknown payload is passed over, unless its highest bit says critical (RFC 7296 2.5, 3.2)") {
    // of IKEv1's numbers, of none, of a later standard's, of private use
    for (const unsigned type : {1u, 32u, 49u, 54u, 127u, 128u, 255u}) {
        INFO(type);
        const PayloadType unknown{static_cast<std::uint8_t>(type)};
        // 0x01 is where another implementation once looked for the bit
        for (const unsigned flags : {0x00u, 0x01u, 0x40u, 0x7fu}) {
            const auto parsed = parse_payloads(unknown, alone(octets("01 02 03"), flags));
            REQUIRE(parsed);
            CHECK(*parsed == Payloads{Unknown{unknown}});
        }
        const auto refused = parse_payloads(unknown, alone(octets("01 02 03"), 0x80));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().notify == NotifyType::unsupported_critical_payload);
        CHECK(refused.error().data == Octets{static_cast<std::byte>(type)});
    }
}

TEST_CASE("SK and SKF have no place among decrypted payloads (RFC 7296 3.14)") {
    for (const auto type : {PayloadType::encrypted, PayloadType::encrypted_fragment}) {
        CHECK(says(refusal(type, repeated(16, 1)), "no place here"));
        CHECK_FALSE(parse_payloads(type, {}));
        Octets chain = alone({});
        chain[0] = static_cast<std::byte>(type);
        const Octets inner = alone(repeated(8, 1));
        chain.insert(chain.end(), inner.begin(), inner.end());
        CHECK_FALSE(parse_payloads(PayloadType::vendor_id, chain));
    }
}

TEST_CASE("several Deletes in one message are several payloads, and a CP may stand beside an SA") {
    const Payloads payloads{Delete{ProtocolId::esp, {0x1001}}, Delete{ProtocolId::ah, {0x1002, 0x1003}},
                            Delete{ProtocolId::ike, {}}, Configuration{CfgType::request, {}},
                            Sa{{{1, ProtocolId::esp, octets("00001004"), {{TransformType::encr, 20, 128}}}}}};
    CHECK(parse_payloads(PayloadType::delete_, build_payloads(payloads)) == payloads);
}

TEST_CASE("bodies of a few octets, all of them, of every type come to a value or a refusal") {
    for (const PayloadType type : all_types)
        for (unsigned a = 0; a < 256; ++a)
            for (unsigned b = 0; b < 256; b += 5) {
                const auto parsed = parse_payloads(
                    type, alone({std::byte(a), std::byte(b), std::byte(b ^ a), std::byte(a), std::byte(4)}));
                if (!parsed && parsed.error().why.empty()) FAIL(name_of(type) << " refused without a reason");
            }
}
