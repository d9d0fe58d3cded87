// What the kernel is told about the interfaces of af_packet ports, with a folder in the place of /proc/sys.
#include "catch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "app/packet_sockets.h"

using namespace torii;

namespace {

/// A /proc/sys/net of its own: rp_filter for all and for wan0, and disable_ipv6 for wan0.
class Settings {
public:
    Settings(int all, int wan0) {
        REQUIRE(mkdtemp(name_) != nullptr);
        set("ipv4/conf/all/rp_filter", all);
        set("ipv4/conf/wan0/rp_filter", wan0);
        set("ipv6/conf/wan0/disable_ipv6", 0);
    }
    ~Settings() { std::filesystem::remove_all(name_); }

    std::filesystem::path folder() const { return name_; }
    int of(const char* setting) const {
        int value = -1;
        std::ifstream{folder() / setting} >> value;
        return value;
    }

private:
    void set(const char* setting, int value) {
        std::filesystem::create_directories((folder() / setting).parent_path());
        std::ofstream{folder() / setting} << value << '\n';
    }

    char name_[32] = "/tmp/torii-settings-XXXXXX";
};

constexpr const char *wan = "net_af_packet0,iface=wan0,qpairs=1", *filter = "ipv4/conf/wan0/rp_filter";

}  // namespace

TEST_CASE("the kernel's own stack is kept from the packets of an af_packet port") {
    const Settings settings{0, 0};
    REQUIRE(keep_kernel_out(wan, settings.folder()));
    CHECK(settings.of(filter) == 1);
    CHECK(settings.of("ipv4/conf/all/rp_filter") == 0);
    CHECK(settings.of("ipv6/conf/wan0/disable_ipv6") == 1);
}

TEST_CASE("a filter that is in force stays as it is, for the interface or for all") {
    const Settings own{0, 2}, all{2, 0};
    REQUIRE(keep_kernel_out(wan, own.folder()));
    CHECK(own.of(filter) == 2);
    REQUIRE(keep_kernel_out(wan, all.folder()));
    CHECK(all.of(filter) == 0);
    CHECK(all.of("ipv6/conf/wan0/disable_ipv6") == 1);
}

TEST_CASE("a kernel that cannot be kept out is told with what to set, and other devices need nothing") {
    const Settings settings{0, 0};
    const auto own = settings.folder() / filter;
    std::filesystem::remove(own);
    std::filesystem::create_directory(own);  // what root cannot write to either
    const auto kept = keep_kernel_out(wan, settings.folder());
    REQUIRE_FALSE(kept);
    CHECK(kept.error().message.find("echo 1 > " + own.string()) != std::string::npos);
    CHECK(keep_kernel_out("net_tap0,iface=wan0", settings.folder()));
    CHECK(keep_kernel_out("net_af_packet0,iface=gone0", settings.folder()));
}
