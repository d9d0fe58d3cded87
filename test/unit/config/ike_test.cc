// The section `ike`: what it reads into, what is told of its mistakes, and who may own and read the files it names.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "app/config/read.h"
#include "app/ike/engine_config.h"
#include "app/ike/secret_file.h"
#include "catch.h"
#include "every_setting.h"
#include "test/unit/ike/credentials/authority.h"

using namespace torii;
namespace made = torii::ike::made;

namespace {

/// A folder with the files of one gateway; gone with it.
class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "torii-ike-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    std::string path(const std::string& name) const { return (path_ / name).string(); }
    std::string write(const std::string& name, const std::string& text, unsigned mode = 0600) const {
        std::ofstream{path(name), std::ios::binary} << text;
        REQUIRE(chmod(path(name).c_str(), mode) == 0);
        return path(name);
    }

private:
    std::filesystem::path path_;
};

constexpr std::string_view one_port =
    R"(ports = ( { name = "wan"; device = "net_null0"; addresses = ["20.0.0.1/24"]; } );)"
    "\n";

Result<config::File> read(const Folder& folder, const std::string& ike) {
    return config::from_text(std::string{one_port} + ike, folder.path("tokyo.conf"), 2);
}
/// What is wrong with a file whose second line is `ike`.
std::string told(const Folder& folder, const std::string& ike) {
    const auto file = read(folder, ike);
    if (!file) return file.error().message;
    const auto loaded = config::load_ike(*file, made::context());
    return loaded ? "nothing" : loaded.error().message;
}
std::string at_line_2(const Folder& folder, const std::string& sentence) {
    return folder.path("tokyo.conf") + ":2: " + sentence;
}
/// A connection by pre-shared key with `settings` besides.
std::string connection(const std::string& settings) {
    return R"(ike = { psk_file = "psk.txt"; connections = ( { name = "newyork"; remote = "20.0.0.2"; )" + settings +
           "} ); };";
}
std::string child(const std::string& settings) {
    return connection("children = ( { name = \"offices\"; " + settings + "} );");
}

}  // namespace

TEST_CASE("a section ike reads into the connections that it says") {
    const Folder folder;
    folder.write("psk.txt", "20.0.0.2 between us\n");
    const auto file = read(folder, R"(ike = {
    psk_file = "psk.txt"; retransmissions = 4; cookies_from = 0; half_open_per_source = 5;
    connections = (
        { name = "newyork"; local = "20.0.0.1"; remote = "20.0.0.2"; local_id = "tokyo.example.com";
          proposals = ["aes128gcm16-prfsha256-x25519", "aes256-sha256-modp2048"]; rekey_seconds = 3600;
          reauth_seconds = 86400; dpd_seconds = 10; uniqueness = "keep"; fragmentation = false;
          children = (
              { name = "offices"; local = ["10.0.1.0/24"]; remote = ["10.0.2.0/24", "10.0.3.7"]; start = "trap";
                proposals = ["aes128gcm16-x25519-esn"]; rekey_seconds = 1200; rekey_octets = 5000000000;
                life_seconds = 1500; replay_packets = 64; },
              { name = "mail"; mode = "transport"; protocol = "ah"; policies = false; ip_protocol = "tcp";
                local_ports = "1024-65535"; remote_ports = "110"; }
          ); },
        { name = "anybody"; }
    ); };)");
    REQUIRE(file);
    const auto loaded = config::load_ike(*file, made::context());
    REQUIRE(loaded);
    CHECK(loaded->retransmissions == 4);
    CHECK(loaded->limits.cookies_from == 0);
    CHECK(loaded->limits.half_open_per_source == 5);
    REQUIRE(loaded->connections.size() == 2);
    const ike::Connection& newyork = *loaded->connections[0];
    CHECK(newyork.name == "newyork");
    CHECK(newyork.local == Address::parse("20.0.0.1").value());
    CHECK(newyork.remote == Address::parse("20.0.0.2").value());
    CHECK(newyork.local_id == ike::parse_id("tokyo.example.com").value());
    CHECK(!newyork.remote_id);
    CHECK(newyork.local_auth == ike::AuthWay::shared_key);
    REQUIRE(newyork.shared_keys);
    CHECK(newyork.shared_keys->find(ike::parse_id("20.0.0.2").value(), *newyork.remote) != nullptr);
    REQUIRE(newyork.proposals.size() == 2);
    CHECK(ike::text_of(newyork.proposals[0]) == "aes128gcm16-prfsha256-x25519");
    CHECK(newyork.rekey_seconds == 3600);
    CHECK(newyork.reauth_seconds == 86400);
    CHECK(newyork.dpd_seconds == 10);
    CHECK(newyork.uniqueness == ike::Uniqueness::keep);
    CHECK(!newyork.fragmentation);
    REQUIRE(newyork.children.size() == 2);
    const ike::ChildConfig &offices = newyork.children[0], &mail = newyork.children[1];
    CHECK(offices.name == "offices");
    CHECK(offices.mode == Mode::tunnel);
    CHECK(offices.remote == std::vector{Prefix::parse("10.0.2.0/24").value(), Prefix::parse("10.0.3.7/32").value()});
    CHECK(offices.start == ike::StartAction::trap);
    CHECK(offices.makes_policies);
    CHECK(offices.rekey_octets == 5'000'000'000);
    CHECK(offices.life_seconds == 1500);
    CHECK(offices.replay_packets == 64);
    CHECK(offices.proposals.size() == 1);
    CHECK(mail.mode == Mode::transport);
    CHECK(mail.protocol == ike::ProtocolId::ah);
    CHECK(!mail.makes_policies);
    CHECK(mail.ip_protocol == 6);
    CHECK(mail.local_ports == PortRange{1024, 65535});
    CHECK(mail.remote_ports == PortRange::only(110));
    CHECK(mail.proposals == ike::default_child_proposals(ike::ProtocolId::ah));
    const ike::Connection& anybody = *loaded->connections[1];
    CHECK((!anybody.local && !anybody.remote));
    CHECK(anybody.proposals == ike::default_ike_proposals());
    CHECK(config::summary(*file).find("ike        newyork    20.0.0.1-20.0.0.2      auth psk: offices, mail\n"
                                      "ike        anybody    any-any                auth psk: no children\n") !=
          std::string::npos);
}

TEST_CASE("a file without ike has no connections, and its paths count from its folder") {
    const auto without = config::from_text(one_port, "FILE", 2);
    REQUIRE(without);
    CHECK(!without->ike.is_there);
    const auto with =
        config::from_text(std::string{one_port} + R"(ike = { psk_file = "keys/psk.txt"; authorities = ["/ca.pem"];
        connections = ( { name = "a"; key = "a.key"; certificate = "a.pem"; } ); };)",
                          "/etc/torii/tokyo.conf", 2);
    REQUIRE(with);
    CHECK(with->ike.psk_file == "/etc/torii/keys/psk.txt");
    CHECK(with->ike.authorities == std::vector<std::string>{"/ca.pem"});
    CHECK(with->ike.connections.at(0).key == "/etc/torii/a.key");
    CHECK(with->ike.connections.at(0).certificate == "/etc/torii/a.pem");
}

TEST_CASE("mistakes in the words of ike are told with their line and with what is right") {
    const Folder folder;
    folder.write("psk.txt", "20.0.0.2 between us\n");
    const std::string path = "ike.connections.[0]", inside = path + ".children.[0]";
    const auto check = [&](const std::string& text, const std::string& sentence) {
        CHECK(told(folder, text) == at_line_2(folder, sentence));
    };
    check(connection("local = \"tokyo\";"), path +
                                                ".local is \"tokyo\": an end is one host's address, as in 20.0.0.2; "
                                                "without the line it is any");
    check(connection("auth = \"password\";"), path + ".auth is \"password\": auth is psk, certificate or raw_key");
    check(connection("dpd_second = 3;"), path + ".dpd_second is not a setting: did you mean dpd_seconds?");
    check(connection("rekey_seconds = 5;"), path + ".rekey_seconds is 5: a lifetime is 60 to 2592000 seconds");
    check(connection("local = \"2001:db8::1\";"), path + ".remote is 20.0.0.2, of another family than the local end");
    check(connection("local = \"20.0.0.2\";"), path + ".remote is the local end: the gateway is not its own peer");
    check("ike = { connections = ( { remote = \"20.0.0.2\"; } ); };",
          path + ".name is missing: it is required, as in name = \"newyork\"");
    check(child("local = [\"10.0.1.1/24\"];"),
          inside +
              ".local.[0] is \"10.0.1.1/24\" with bits set behind its prefix length: 10.0.1.0/24 would be the network");
    check(child("local = [\"10.0.1\"];"), inside +
                                              ".local.[0] is \"10.0.1\": a network is an address with its prefix "
                                              "length, as in 10.0.1.0/24, or one host's address");
    check(child(""), inside + " is a tunnel between no networks: local and remote name them, or mode is transport");
    check(child("mode = \"transport\"; local = [\"10.0.1.0/24\"];"),
          inside + " is transport mode, between the two ends alone: neither local nor remote goes with it");
    check(child("local = [\"10.0.1.0/24\"]; remote = [\"2001:db8::/64\"];"),
          inside + ".remote has networks of another family than local");
    check(child("local = [\"10.0.1.0/24\"]; remote_ports = \"110-80\"; ip_protocol = \"tcp\";"),
          inside + ".remote_ports is \"110-80\": ports are one of 0 to 65535, or two, as in 1024-65535");
    check(child("local = [\"10.0.1.0/24\"]; remote_ports = \"110\";"),
          inside + " has ports of no protocol: ip_protocol says which, as in ip_protocol = \"tcp\"");
    check(child("local = [\"10.0.1.0/24\"]; life_seconds = 3600;"),
          inside + ".life_seconds is 3600: it ends no later than rekey_seconds = 3600 asks for the next");
    check(R"(ike = { psk_file = "psk.txt"; connections = ( { name = "a"; }, { name = "a"; } ); };)",
          "ike.connections.[1].name is \"a\", which stands before: each has a name of its own");
    check(R"(ike = { psk_file = "psk.txt"; connections = ( { name = "a"; children = ( { name = "b"; start = "trap";
        mode = "transport"; } ); } ); };)",
          inside + ".start wants a peer to begin with: the connection's remote is any");
    check(connection("local = \"20.0.0.1\"; other_locals = [\"30.0.0.1\"];"),
          path + ".other_locals are for `mobike = true` and a connection with a local end");
    check(connection("mobike = true; other_locals = [\"30.0.0.1\"];"),
          path + ".other_locals are for `mobike = true` and a connection with a local end");
    for (const char* const wrong : {"20.0.0.2", "2001:db8::1"})
        check(connection("local = \"20.0.0.1\"; mobike = true; other_locals = [\"" + std::string{wrong} + "\"];"),
              path + ".other_locals has " + wrong + ", which is of another family than local, or the peer's");
    check(connection("local = \"20.0.0.1\"; mobike = true; other_locals = [\"tokyo\"];"),
          path + ".other_locals.[0] is \"tokyo\": it is one host's address, as in 10.0.1.53");
    for (const char* const wrong : {"mode = \"transport\";", "local = [\"10.0.1.0/24\"]; policies = false;"})
        check(connection("mobike = true; children = ( { name = \"offices\"; " + std::string{wrong} + "} );"),
              inside + " cannot move with its connection (mobike): that is for tunnels whose policies IKE makes");
    check(R"(ike = { connections = ( { name = "a"; } ); };)",
          path + " proves itself by a pre-shared key: ike.psk_file names none");
}

TEST_CASE("all that the IKE library refuses in one section is told at once, each with its line") {
    const Folder folder;
    folder.write("psk.txt", "20.0.0.2 between us\n");
    const std::string error = told(folder, R"(ike = { psk_file = "psk.txt"; connections = ( { name = "a";
    proposals = ["aes128gcm16-prfsha256-x25519", "rot13"];
    children = ( { name = "b"; mode = "transport";
        proposals = ["3des-sha1"]; } ); } ); };)");
    const std::string name = folder.path("tokyo.conf");
    CHECK(error.starts_with(name + ":3: ike.connections.[0].proposals.[1] is \"rot13\": "));
    CHECK(error.find("\n" + name + ":5: ike.connections.[0].children.[0].proposals.[0] is \"3des-sha1\": ") !=
          std::string::npos);
    CHECK(std::ranges::count(error, '\n') == 1);
    CHECK(told(folder, connection("legacy = true; children = ( { name = \"b\"; mode = \"transport\"; "
                                  "proposals = [\"3des-sha1\"]; } );")) == "nothing");
}

TEST_CASE("post-quantum keys are read by the rules of all secrets, and a connection names its own (RFC 8784)") {
    const Folder folder;
    folder.write("psk.txt", "20.0.0.2 between us\n");
    const auto with = [](const std::string& file, const std::string& settings) {
        return "ike = { psk_file = \"psk.txt\"; " + file + " connections = ( { name = \"newyork\"; " + settings +
               "} ); };";
    };
    const std::string named = "ppk_file = \"ppk.txt\";", path = "ike.connections.[0]";
    const std::string peer = "remote = \"20.0.0.2\"; ppk = \"required\"; ";
    const auto ppk = folder.write("ppk.txt", "offices-2026 0123456789abcdef0123456789abcdef\n");
    const auto file = read(folder, with(named, peer + "ppk_id = \"offices-2026\";"));
    REQUIRE(file);
    const auto loaded = config::load_ike(*file, made::context());
    REQUIRE(loaded);
    const ike::Connection& newyork = *loaded->connections[0];
    CHECK(newyork.ppk == ike::PpkUse::required);
    CHECK(newyork.ppk_id == ike::parse_ppk_id("offices-2026").value());
    CHECK(newyork.postquantum_keys->find(newyork.ppk_id) != nullptr);
    CHECK(told(folder, with(named, "ppk = \"prefer\";")) == "nothing");  // for whoever calls

    const auto check = [&](const std::string& text, const std::string& sentence) {
        CHECK(told(folder, text) == at_line_2(folder, sentence));
    };
    check(with("", peer + "ppk_id = \"a\";"), path + ".ppk wants a PPK: ike.ppk_file names no file");
    check(with(named, peer), path + ".ppk wants a PPK: ppk_id says which one of ike.ppk_file");
    check(with(named, peer + "ppk_id = \"laptops\";"), path + ".ppk_id is \"laptops\", which is not in " + ppk);
    check(with(named, peer + "ppk_id = \"0x1\";"),
          path + ".ppk_id is \"0x1\": octets behind 0x are pairs of hexadecimal digits");
    check(with(named, "ppk_id = \"offices-2026\";"), path + ".ppk_id names a PPK that ppk = \"never\" leaves alone");
    check(with(named, "ppk = \"always\";"), path + ".ppk is \"always\": ppk is never, prefer or required");
    folder.write("ppk.txt", "offices-2026 short\n");
    CHECK(told(folder, with(named, ""))
              .starts_with(at_line_2(folder, "ike.ppk_file is wrong: " + ppk + ":1: a PPK has")));
    folder.write("ppk.txt", "offices-2026 0123456789abcdef0123456789abcdef\n", 0640);
    check(with(named, ""), "ike.ppk_file is wrong: " + ppk + " is open to others than its owner: chmod 600 " + ppk);
}

TEST_CASE("pools and requests for addresses are read, and what does not go together is told (RFC 7296 2.19)") {
    const Folder folder;
    folder.write("psk.txt", "20.0.0.2 between us\n");
    const std::string path = "ike.connections.[0]", inside = path + ".children.[0]";
    const std::string lends = "pool = [\"10.9.0.0/24\", \"2001:db8:9::/64\"]; dns = [\"10.0.1.53\"]; ";
    const std::string road = "children = ( { name = \"road\"; local = [\"10.0.1.0/24\"]; } );";
    const std::string client = "children = ( { name = \"road\"; remote = [\"10.0.1.0/24\"]; start = \"start\"; } );";
    const auto loaded = config::load_ike(*read(folder, connection(lends + road)), made::context());
    REQUIRE(loaded);
    const ike::Connection& newyork = *loaded->connections[0];
    CHECK(newyork.pools == std::vector{Prefix::parse("10.9.0.0/24").value(), Prefix::parse("2001:db8:9::/64").value()});
    CHECK(newyork.dns == std::vector{Address::parse("10.0.1.53").value()});
    CHECK(newyork.children[0].remote.empty());
    CHECK(told(folder, connection("local = \"20.0.0.1\"; request_address = true; " + client)) == "nothing");

    const auto check = [&](const std::string& text, const std::string& sentence) {
        CHECK(told(folder, text) == at_line_2(folder, sentence));
    };
    check(connection(lends + "request_address = true;"),
          path + ".request_address asks for an address, and pool lends some: a connection does one");
    check(connection("dns = [\"10.0.1.53\"];"),
          path + ".dns is for peers who are lent an address: pool says of which network");
    check(
        connection("pool = [\"10.9.0.1/24\"];"),
        path + ".pool.[0] is \"10.9.0.1/24\" with bits set behind its prefix length: 10.9.0.0/24 would be the network");
    check(connection("pool = [\"10.9.0.0/24\"]; dns = [\"10.0.1.0/24\"];"),
          path + ".dns.[0] is \"10.0.1.0/24\": it is one host's address, as in 10.0.1.53");
    check(connection("pool = [\"10.9.0.0/24\", \"10.9.0.128/25\"];"),
          path + ".pool.[1] is 10.9.0.128/25, and 10.9.0.0/24 lends the same addresses");
    check(connection("local = \"20.0.0.1\"; " + lends + "children = ( { name = \"road\"; start = \"trap\"; } );"),
          inside + ".start would begin with a peer who has no address before he asks for one");
    check(connection("local = \"20.0.0.1\"; request_address = true; children = ( { name = \"road\"; remote = "
                     "[\"10.0.1.0/24\"]; start = \"trap\"; } );"),
          inside + ".start is trap, and no policy can be made before the address is known: start or none");
    check(R"(ike = { psk_file = "psk.txt"; connections = ( { name = "a"; request_address = true; } ); };)",
          path + ".request_address wants a gateway to ask: the connection's remote is any");
}

TEST_CASE("a file of secrets that others may open is refused with what to do about it") {
    const Folder folder;
    for (const unsigned mode : {0640u, 0604u, 0620u, 0601u, 0660u, 0777u}) {
        const auto file = folder.write("psk.txt", "20.0.0.2 between us\n", mode);
        const auto text = config::read_secret_file(file);
        REQUIRE(!text);
        CHECK(text.error().code == Errc::denied);
        CHECK(text.error().message == file + " is open to others than its owner: chmod 600 " + file);
    }
    for (const unsigned mode : {0600u, 0400u, 0700u}) {
        const auto text = config::read_secret_file(folder.write("psk.txt", "20.0.0.2 between us\n", mode));
        REQUIRE(text);
        CHECK(text->view() == "20.0.0.2 between us\n");
    }
    const std::string psk = folder.write("psk.txt", "20.0.0.2 between us\n", 0644);
    CHECK(told(folder, connection("")) ==
          at_line_2(folder, "ike.psk_file is wrong: " + psk + " is open to others than its owner: chmod 600 " + psk));
}

TEST_CASE("a file of secrets that is another's, no file, absent or endless is refused") {
    const Folder folder;
    CHECK(config::read_secret_file(folder.path("psk.txt")).error().code == Errc::io);
    std::filesystem::create_directory(folder.path("folder"));
    CHECK(config::read_secret_file(folder.path("folder")).error().message ==
          folder.path("folder") + " is no regular file");
    REQUIRE(mkfifo(folder.path("pipe").c_str(), 0600) == 0);
    CHECK(config::read_secret_file(folder.path("pipe")).error().code == Errc::denied);
    CHECK(config::read_secret_file(folder.write("long", std::string((1 << 20) + 1, 'x'))).error().code ==
          Errc::no_room);
    CHECK(config::read_secret_file(folder.write("fits", std::string(1 << 20, 'x'))).has_value());
    if (geteuid() != 0) return;  // nobody else can give a file away
    const std::string file = folder.write("psk.txt", "20.0.0.2 between us\n");
    REQUIRE(chown(file.c_str(), 12345, 12345) == 0);
    CHECK(config::read_secret_file(file).error().message ==
          file + " belongs to user 12345, who could change it: chown 0 " + file);
}

TEST_CASE("certificates and keys are read, and must belong to each other") {
    const Folder folder;
    const made::Issuer root = made::root(made::authority("CN=Example CA"), made::key("P-256"));
    const made::Key ours = made::key("P-256 2"), other = made::key("P-256 3");
    folder.write("ca.pem", made::pem(root.certificate), 0644);
    folder.write("gw.pem", made::pem(made::issue(root, {}, ours)), 0644);
    folder.write("gw.key", made::private_pem(ours));
    folder.write("other.key", made::private_pem(other));
    folder.write("locked.key", made::private_pem(ours, "open sesame"));
    folder.write("pass", "open sesame\n");
    const auto with = [&](const std::string& settings) {
        return R"(ike = { authorities = ["ca.pem"]; connections = ( { name = "a"; auth = "certificate"; )" + settings +
               "} ); };";
    };
    const std::string path = "ike.connections.[0]";
    const auto file = read(folder, with(R"(certificate = "gw.pem"; key = "gw.key";)"));
    REQUIRE(file);
    const auto loaded = config::load_ike(*file, made::context());
    REQUIRE(loaded);
    REQUIRE(loaded->connections.at(0)->own_key);
    CHECK(loaded->connections[0]->own_key->chain.size() == 1);
    CHECK(loaded->connections[0]->remote_auth == ike::AuthWay::certificate);
    REQUIRE(loaded->connections[0]->trust);
    CHECK(!loaded->connections[0]->trust->empty());

    CHECK(told(folder, with(R"(certificate = "gw.pem"; key = "locked.key"; key_passphrase_file = "pass";)")) ==
          "nothing");
    CHECK(told(folder, with(R"(certificate = "gw.pem"; key = "locked.key";)"))
              .starts_with(at_line_2(folder, path + ".key is " + folder.path("locked.key") + ": ")));
    CHECK(told(folder, with(R"(certificate = "gw.pem"; key = "other.key";)"))
              .starts_with(at_line_2(folder, path + ".certificate is " + folder.path("gw.pem") + ": ")));
    CHECK(told(folder, with(R"(certificate = "gw.pem";)")) ==
          at_line_2(folder, path + " proves itself by a certificate: key names the file of the private key"));
    CHECK(told(folder, with(R"(key = "gw.key";)")) ==
          at_line_2(folder, path + " proves itself by a certificate: certificate names its file"));
    CHECK(told(folder, with(R"(certificate = "gw.pem"; key = "gw.key"; remote_auth = "raw_key";)")) ==
          at_line_2(folder, path + " takes the peer's raw key: peers_key names the file of his public key"));
    CHECK(
        told(
            folder,
            R"(ike = { connections = ( { name = "a"; auth = "certificate"; certificate = "gw.pem"; key = "gw.key"; } ); };)") ==
        at_line_2(folder, path + " takes the peer's certificate: ike.authorities names nobody to believe"));
    chmod(folder.path("gw.key").c_str(), 0644);
    CHECK(told(folder, with(R"(certificate = "gw.pem"; key = "gw.key";)")) ==
          at_line_2(folder, path + ".key is wrong: " + folder.path("gw.key") +
                                " is open to others than its owner: chmod 600 " + folder.path("gw.key")));
}
