// A peer whose SA is not quite ours: another key, algorithm, ICV length, SPI or kind of sequence number. Nothing of it
// arrives, and the drop says what an operator has to look for. Real Linux peers of this kind are in test/interop.
#include "catch.h"
#include "test/unit/gateway/office.h"

using namespace torii;
using namespace torii::test;

namespace {

const Octets packet = datagram("10.0.1.5", "10.0.2.5");

/// newyork opens what tokyo's SA made with SAs of its own, both in setkey's words.
struct Strangers {
    std::string_view what, tokyo, newyork;
    std::vector<Drop> names;
};

std::string text_of(std::string_view sas, std::string_view protocol) {
    const std::string request = std::string{protocol} + "/tunnel/20.0.0.1-20.0.0.2/require;";
    return "# torii: legacy\n" + std::string{sas} + "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec " + request +
           "spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec " + request;
}

std::string sa(std::string_view protocol, std::string_view words, std::string_view spi = "0x1001") {
    return "add 20.0.0.1 20.0.0.2 " + std::string{protocol} + " " + std::string{spi} + " -m tunnel " +
           std::string{words} + ";";
}

/// What arrives in newyork's office of a packet that tokyo protects.
std::vector<Octets> arrived(Wires& newyork, std::string_view protocol, std::string_view tokyo_sas,
                            std::string_view newyork_sas) {
    Wires tokyo{office_configuration()};
    tokyo.setkey(text_of(tokyo_sas, protocol));
    newyork.setkey(text_of(newyork_sas, protocol));
    const auto wire = pass(tokyo, office, {packet}, world);
    REQUIRE(wire.size() == 1);
    return pass(newyork, world, wire, office);
}

void check_refused(std::string_view protocol, const Strangers& strangers) {
    INFO(strangers.what);
    Wires newyork{newyork_configuration()};
    CHECK(arrived(newyork, protocol, strangers.tokyo, strangers.newyork).empty());
    std::uint64_t named = 0;
    for (const Drop name : strangers.names) named += newyork.drops(name);
    CHECK(named == 1);
    CHECK(newyork.buffers_missing() == 0);
}

constexpr std::string_view cbc = R"(-E aes-cbc "sixteen octets!!" -A hmac-sha1 "twenty octets of key")",
                           gcm = R"(-E aes-gcm-16 "tokyo-newyork-key001")",
                           ah = R"(-A hmac-sha1 "twenty octets of key")";

}  // namespace

TEST_CASE("ESP of a peer with another key, algorithm, SPI or kind of sequence numbers ends by name (RFC 4303 3.4)") {
    Wires newyork{newyork_configuration()};
    REQUIRE(arrived(newyork, "esp", sa("esp", cbc), sa("esp", cbc)) == only(after_hops(packet, 2)));

    // Where the authenticator is right, what the wrong cipher makes of the rest has no padding, or no packet in it.
    const std::vector<Drop> garbage{Drop::bad_padding, Drop::bad_inner_protocol, Drop::bad_ip_version,
                                    Drop::dummy_packet};
    check_refused("esp", {"another cipher key", sa("esp", cbc),
                          sa("esp", R"(-E aes-cbc "SIXTEEN OCTETS!!" -A hmac-sha1 "twenty octets of key")"), garbage});
    check_refused("esp",
                  {"another cipher", sa("esp", cbc),
                   sa("esp", R"(-E camellia-cbc "sixteen octets!!" -A hmac-sha1 "twenty octets of key")"), garbage});
    check_refused("esp", {"another authenticator key",
                          sa("esp", cbc),
                          sa("esp", R"(-E aes-cbc "sixteen octets!!" -A hmac-sha1 "TWENTY octets of key")"),
                          {Drop::bad_icv}});
    check_refused("esp", {"another authenticator with as long an ICV",
                          sa("esp", cbc),
                          sa("esp", R"(-E aes-cbc "sixteen octets!!" -A hmac-ripemd160 "twenty octets of key")"),
                          {Drop::bad_icv}});
    check_refused("esp",
                  {"an authenticator with a longer ICV: the rest is no multiple of a block",
                   sa("esp", cbc),
                   sa("esp", R"(-E aes-cbc "sixteen octets!!" -A hmac-sha256 "thirty-two octets of any old key")"),
                   {Drop::esp_truncated}});
    check_refused("esp", {"another key of an AEAD",
                          sa("esp", gcm),
                          sa("esp", R"(-E aes-gcm-16 "newyork-tokyo-key002")"),
                          {Drop::bad_icv}});
    check_refused("esp", {"a shorter ICV of the same AEAD",
                          sa("esp", R"(-E aes-gcm-12 "tokyo-newyork-key001")"),
                          sa("esp", gcm),
                          {Drop::bad_icv}});
    check_refused("esp", {"another SPI", sa("esp", gcm), sa("esp", gcm, "0x1002"), {Drop::unknown_spi}});
    const std::string other = R"(-E aes-gcm-16 "newyork-tokyo-key002")";
    check_refused("esp", {"two SAs whose SPIs are exchanged",
                          sa("esp", other, "0x1002") + sa("esp", gcm),
                          sa("esp", gcm, "0x1002") + sa("esp", other),
                          {Drop::bad_icv}});
    check_refused("esp", {"extended sequence numbers on one side",
                          sa("esp", std::string{"-r 8 -f esn "}.append(cbc)),
                          sa("esp", std::string{"-r 8 "}.append(cbc)),
                          {Drop::bad_icv}});
    check_refused("esp", {"extended sequence numbers on the other, with an AEAD",
                          sa("esp", std::string{"-r 8 "}.append(gcm)),
                          sa("esp", std::string{"-r 8 -f esn "}.append(gcm)),
                          {Drop::bad_icv}});
}

TEST_CASE("AH of a peer with another key, algorithm, SPI or kind of sequence numbers ends by name (RFC 4302 3.4)") {
    Wires newyork{newyork_configuration()};
    REQUIRE(arrived(newyork, "ah", sa("ah", ah), sa("ah", ah)) == only(after_hops(packet, 2)));

    check_refused("ah",
                  {"another key", sa("ah", ah), sa("ah", R"(-A hmac-sha1 "TWENTY octets of key")"), {Drop::bad_icv}});
    check_refused("ah", {"another algorithm with as long an ICV",
                         sa("ah", ah),
                         sa("ah", R"(-A hmac-ripemd160 "twenty octets of key")"),
                         {Drop::bad_icv}});
    check_refused("ah", {"an algorithm with a longer ICV",
                         sa("ah", ah),
                         sa("ah", R"(-A hmac-sha256 "thirty-two octets of any old key")"),
                         {Drop::bad_ah_header}});
    check_refused("ah", {"another SPI", sa("ah", ah), sa("ah", ah, "0x1002"), {Drop::unknown_spi}});
    check_refused("ah", {"extended sequence numbers on one side",
                         sa("ah", std::string{"-r 8 -f esn "}.append(ah)),
                         sa("ah", std::string{"-r 8 "}.append(ah)),
                         {Drop::bad_icv}});
}
