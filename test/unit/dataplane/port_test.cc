// What a port says when it cannot be opened.
#include "dataplane/port.h"

#include "catch.h"

using namespace torii;

TEST_CASE("a device that no driver knows is refused with what was written and what would be right") {
    const auto* const device = GENERATE("net_afpacket0,iface=lo,qpairs=1", "eth0", "af_packet,iface=lo", "0000:03:00");
    const auto opened = Port::open({.name = "wan", .device = device}, nullptr);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::bad_value);
    CHECK(opened.error().message.starts_with("port wan (" + std::string{device} + "): DPDK knows no such device"));
    CHECK(opened.error().message.find("net_af_packet0,iface=") != std::string::npos);
    CHECK(opened.error().message.find("0000:03:00.0") != std::string::npos);
}

TEST_CASE("a driver's own refusal is told as it is") {
    const auto opened = Port::open({.name = "wan", .device = "net_af_packet7,iface=nowhere0"}, nullptr);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::io);
    CHECK(opened.error().message.starts_with("port wan (net_af_packet7,iface=nowhere0): the device cannot be probed"));
}
