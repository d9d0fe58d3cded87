#include "catch.h"

#include "base/reader.h"
#include "base/secret_bytes.h"
#include "net/address.h"
#include "net/headers.h"

using namespace torii;

TEST_CASE("a Reader that cannot take enough octets stays where it was") {
    const std::byte octets[]{std::byte{1}, std::byte{2}, std::byte{3}};
    Reader in{octets};
    CHECK(in.u16().value() == 0x0102);
    CHECK(in.u16().error().code == Errc::truncated);
    CHECK(in.finish().error().code == Errc::trailing);
    CHECK(in.u8().value() == 3);
    CHECK(in.finish());
}

TEST_CASE("an error tells each layer once, and its code") {
    const auto error = Error{Errc::bad_value, "remote port range 9000-80 is empty"}.in("rule 12").in("reload of FILE");
    CHECK(error.text() == "reload of FILE: rule 12: remote port range 9000-80 is empty [bad_value]");
}

TEST_CASE("a moved-from secret is empty and equality looks at every octet") {
    SecretBytes a{std::size_t{16}};
    a.octets()[15] = std::byte{1};
    const SecretBytes b = a.duplicate();
    CHECK(a.same_as(b));
    SecretBytes c = std::move(a);
    CHECK(a.empty());  // NOLINT(bugprone-use-after-move): what is promised
    c.octets()[15] = std::byte{2};
    CHECK_FALSE(c.same_as(b));
}

TEST_CASE("prefixes contain what their bits say, and never the other family") {
    const auto office = Prefix::parse("10.0.1.77/24").value();
    CHECK(office.text() == "10.0.1.0/24");
    CHECK(office.contains(Address::v4(0x0a0001ff)));
    CHECK_FALSE(office.contains(Address::v4(0x0a000200)));
    CHECK_FALSE(Prefix::everything(Family::ipv4).contains(Address::parse("::1").value()));
    const auto odd = Prefix::parse("2001:db8::/29").value();
    CHECK(odd.contains(Address::parse("2001:dbf::1").value()));
    CHECK_FALSE(odd.contains(Address::parse("2001:dc0::1").value()));
    CHECK(Prefix::parse("10.0.0.0/33").error().code == Errc::bad_value);
    CHECK(Prefix::parse("10.0.0.0/").error().code == Errc::bad_value);
    CHECK(Prefix::parse("10.0.0/8").error().code == Errc::bad_value);
}

TEST_CASE("MAC addresses parse whole or not at all") {
    CHECK(MacAddress::parse("02:00:5e:10:00:0a").value().text() == "02:00:5e:10:00:0a");
    for (const auto* bad : {"02:00:5e:10:00", "02:00:5e:10:00:0g", "02-00-5e-10-00-0a", "02:00:5e:10:00:0a:"})
        CHECK_FALSE(MacAddress::parse(bad));
}

TEST_CASE("the checksum of a header that carries its own checksum is zero (RFC 1071)") {
    Ipv4Header ip{};  // the example many texts use: 192.168.0.1 to 192.168.0.199, UDP, 115 octets
    ip.version_ihl = 0x45;
    ip.total_octets = 115;
    ip.flags_offset = 0x4000;
    ip.ttl = 64;
    ip.protocol = 17;
    ip.source = 0xc0a80001;
    ip.destination = 0xc0a800c7;
    ip.checksum = internet_checksum(&ip, sizeof ip);
    CHECK(ip.checksum == 0xb861);
    CHECK(internet_checksum(&ip, sizeof ip) == 0);
    // one hop further (RFC 1624): as if computed anew
    const std::uint16_t before = static_cast<std::uint16_t>(ip.ttl << 8 | ip.protocol);
    ip.ttl--;
    ip.checksum = adjusted_checksum(ip.checksum, before, static_cast<std::uint16_t>(ip.ttl << 8 | ip.protocol));
    CHECK(internet_checksum(&ip, sizeof ip) == 0);
}
