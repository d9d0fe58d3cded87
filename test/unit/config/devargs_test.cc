#include "catch.h"

#include <charconv>

#include "gateway/devargs.h"

using namespace torii;

namespace {

std::string completed(const std::string& device, unsigned mtu, unsigned queues = 1) {
    PortConfiguration port;
    port.device = device;
    port.mtu = mtu;
    return completed_devargs(port, queues);
}

unsigned receive_room(const std::string& device, unsigned mtu) {
    PortConfiguration port;
    port.device = device;
    port.mtu = mtu;
    return receive_room_octets(port);
}

unsigned argument(const std::string& devargs, const std::string& name) {
    const auto at = devargs.find("," + name + "=");
    REQUIRE(at != devargs.npos);
    unsigned value = 0;
    std::from_chars(devargs.data() + at + name.size() + 2, devargs.data() + devargs.size(), value);
    return value;
}

}  // namespace

TEST_CASE("an af_packet device gets rings that hold its MTU, and 2,048 frames") {
    CHECK(completed("net_af_packet0,iface=wan0", 1500) ==
          "net_af_packet0,iface=wan0,qpairs=1,blocksz=4096,framesz=2048,framecnt=2048");
    CHECK(completed("net_af_packet0,iface=wan0", 1950) ==
          "net_af_packet0,iface=wan0,qpairs=1,blocksz=4096,framesz=2048,framecnt=2048");
    CHECK(completed("net_af_packet0,iface=wan0", 1951) ==
          "net_af_packet0,iface=wan0,qpairs=1,blocksz=12288,framesz=3072,framecnt=2048");
    CHECK(completed("eth_af_packet1,iface=wan0", 9000, 4) ==
          "eth_af_packet1,iface=wan0,qpairs=4,blocksz=36864,framesz=9216,framecnt=2048");
}

TEST_CASE("every MTU's rings are such as the kernel and the driver take") {
    for (unsigned mtu = 576; mtu <= 9000; ++mtu) {
        const auto devargs = completed("net_af_packet0,iface=wan0", mtu);
        const auto block = argument(devargs, "blocksz"), frame = argument(devargs, "framesz"),
                   count = argument(devargs, "framecnt");
        REQUIRE(frame % 16 == 0);                 // TPACKET_ALIGNMENT
        REQUIRE(frame - 66 >= mtu + 14 + 2 * 4);  // what follows the slot's header: a frame with two VLAN tags
        REQUIRE(block % 4096 == 0);               // whole pages
        REQUIRE(block % frame == 0);              // the driver knows no gaps between blocks
        REQUIRE(count % (block / frame) == 0);    // the kernel wants whole blocks
        REQUIRE(receive_room("net_af_packet0,iface=wan0", mtu) >= frame - 32);  // the driver refuses smaller mbufs
        REQUIRE(receive_room("net_af_packet0,iface=wan0", mtu) >= mtu + 14 + 2 * 4);
    }
}

TEST_CASE("ring sizes an operator gave stay as they are") {
    CHECK(completed("net_af_packet0,iface=wan0,framecnt=4096", 9000) ==
          "net_af_packet0,iface=wan0,framecnt=4096,qpairs=1");
    CHECK(completed("net_af_packet0,iface=wan0,qpairs=2", 1500, 4) ==
          "net_af_packet0,iface=wan0,qpairs=2,blocksz=4096,framesz=2048,framecnt=2048");
    CHECK(completed("net_af_packet0,blocksz=16384,framesz=16384,iface=w,qpairs=1", 9000) ==
          "net_af_packet0,blocksz=16384,framesz=16384,iface=w,qpairs=1");
    CHECK(receive_room("net_af_packet0,blocksz=16384,framesz=16384,iface=w", 9000) == 16352);
    CHECK(completed("net_af_packet0,iface=framesz", 1500) ==
          "net_af_packet0,iface=framesz,qpairs=1,blocksz=4096,framesz=2048,framecnt=2048");
}

TEST_CASE("devices of other drivers are left alone") {
    for (const auto* device :
         {"0000:03:00.0", "net_tap0,iface=torii0", "net_memif0,role=server", "net_af_xdp0,iface=wan0"}) {
        CHECK(completed(device, 9000, 4) == device);
        CHECK(receive_room(device, 1500) == 2048);
        CHECK(receive_room(device, 9000) == 9022);
    }
}
