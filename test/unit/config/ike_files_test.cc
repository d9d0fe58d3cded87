// What of the files that a configuration names makes a connection another one at a reload: its own key and certificate,
// and neither other peers' keys nor authorities' lists, which IKE SAs outlive.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "app/config/read.h"
#include "app/ike/engine_config.h"
#include "catch.h"
#include "test/unit/ike/credentials/authority.h"

using namespace torii;
namespace made = torii::ike::made;

namespace {

struct Folder {
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "torii-files-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream{path / name, std::ios::binary} << text;
        REQUIRE(chmod((path / name).c_str(), 0600) == 0);
    }
    std::vector<std::shared_ptr<const ike::Connection>> load() const {
        const auto file = config::from_text(
            R"(ports = ( { name = "wan"; device = "net_null0"; addresses = ["20.0.0.1/24"]; } );
            ike = { psk_file = "psk.txt"; ppk_file = "ppk.txt"; authorities = ["ca.pem"]; revocations = ["ca.crl"];
                connections = ( { name = "office"; remote = "20.0.0.2"; },
                                { name = "branch"; remote = "20.0.0.3"; auth = "certificate"; certificate = "own.pem";
                                  key = "own.key"; } ); };)",
            (path / "tokyo.conf").string(), 2);
        REQUIRE(file);
        const auto loaded = config::load_ike(*file, made::context());
        if (!loaded) FAIL(loaded.error().message);
        return loaded->connections;
    }
    std::filesystem::path path;
};

std::string text(const ike::Octets& octets) { return {reinterpret_cast<const char*>(octets.data()), octets.size()}; }

}  // namespace

TEST_CASE("other peers' keys, PPKs, authorities and lists make no connection another one, its own certificate does") {
    const auto head = made::root(made::authority("CN=Head"), made::key("P-256"));
    const auto other = made::root(made::authority("CN=Other"), made::key("P-256 4"));
    const Folder folder;
    folder.write("psk.txt", "20.0.0.2 between us\n");
    folder.write("ppk.txt", "offices 0123456789abcdef0123456789abcdef\n");
    folder.write("ca.pem", made::pem(head.certificate));
    folder.write("ca.crl", text(made::revocations(head, {})));
    folder.write("own.pem", made::pem(made::issue(head, {}, made::key("P-256 2"))));
    folder.write("own.key", made::private_pem(made::key("P-256 2")));
    const auto before = folder.load();

    folder.write("psk.txt", "20.0.0.2 between us\n20.0.0.9 a new one's\n");
    folder.write("ppk.txt", "laptops 0123456789abcdef0123456789abcdef\n");
    folder.write("ca.pem", made::pem(head.certificate) + made::pem(other.certificate));
    folder.write("ca.crl", text(made::revocations(head, {.revoked = {7}})));
    const auto after = folder.load();
    CHECK(same(*before[0], *after[0]));
    CHECK(same(*before[1], *after[1]));

    made::Wish next;
    next.serial = 8;
    folder.write("own.pem", made::pem(made::issue(head, next, made::key("P-256 2"))));
    const auto last = folder.load();
    CHECK(same(*before[0], *last[0]));
    CHECK_FALSE(same(*before[1], *last[1]));
}
