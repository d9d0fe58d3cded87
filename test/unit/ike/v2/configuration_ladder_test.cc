// Addresses by the Configuration payload (RFC 7296 2.19, 3.15): a gateway with a pool, clients who ask for one, and
// what becomes of both when the pool is empty, the IKE SA ends, or somebody does not keep to it.
#include "catch.h"
#include "ike/v2/traffic.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

constexpr unsigned server = 1;

std::shared_ptr<Connection> lender(const std::vector<const char*>& pools, const std::vector<const char*>& dns = {}) {
    auto c = connection(server, 2);
    c->name = "road";
    c->remote.reset();
    for (const char* const pool : pools) c->pools.push_back(*Prefix::parse(pool));
    for (const char* const name_server : dns) c->dns.push_back(*Address::parse(name_server));
    c->children[0].name = "inside";
    c->children[0].remote.clear();
    return c;
}
std::shared_ptr<Connection> borrower(unsigned number) {
    auto c = connection(number, server);
    c->request_address = true;
    c->children[0].local.clear();
    return c;
}

/// Node 0 lends, the others are clients 1 and so on; all are up.
World road(const std::shared_ptr<Connection>& lending, const std::vector<std::shared_ptr<Connection>>& clients,
           std::uint64_t seed = 2) {
    World world{seed};
    world.add("gateway", config_of({lending}));
    for (const auto& client : clients) world.add("client" + std::to_string(world.size()), config_of({client}));
    world.begin();
    return world;
}
void bring_up(World& world, std::size_t node) {
    REQUIRE(order(world, node, "up", "to-1"));
    world.settle();
}

std::string addresses(const IkeSa* sa) {
    std::string out;
    if (sa != nullptr)
        for (const Address& address : sa->internal_addresses) out.append(out.empty() ? "" : " ").append(address.text());
    return sa == nullptr ? "no IKE SA" : out;
}
std::string traffic(const IkeSa* sa) {
    if (sa == nullptr || sa->children.size() != 1) return "no child";
    return text_of(sa->children[0]->traffic.local) + " === " + text_of(sa->children[0]->traffic.remote);
}
PacketSelector packet(const char* from, const char* to) {
    PacketSelector out;
    out.source = *Address::parse(from);
    out.destination = *Address::parse(to);
    out.protocol = 17;
    out.source_port = out.destination_port = 4000;
    return out;
}
/// The IKE SA that node 0 has with a client.
const IkeSa* with_client(World& world, unsigned number) {
    const IkeSa* found = nullptr;
    world[0].engine->each([&](const IkeSa& sa) {
        if (sa.state == IkeState::established && sa.remote.address == address_of(number)) found = &sa;
    });
    return found;
}

/// Changes the Configuration payload of IKE_AUTH on its way, as an end that knows the keys could.
void change(World& world, bool response, const std::function<void(Payloads&)>& how) {
    world.tap = [&world, response, how](Datagram& datagram) {
        const auto header = parse_header(datagram.octets);
        if (header->exchange == ExchangeType::ike_auth && header->response == response)
            rewrite(world, datagram, [&](Opened& opened) { how(opened.payloads); });
        return true;
    };
}

}  // namespace

TEST_CASE("a client gets an address, name servers and the traffic to it, and packets pass (RFC 7296 2.19)") {
    World world = road(lender({"10.9.0.0/24"}, {"10.1.9.53", "2001:db8::53"}), {borrower(2)});
    bring_up(world, 1);
    INFO(world.tail(20));
    const IkeSa* const client = only(world[1]);
    CHECK(addresses(client) == "10.9.0.1");
    CHECK(addresses(only(world[0])) == "10.9.0.1");
    REQUIRE(client != nullptr);
    CHECK(client->internal_dns == std::vector{*Address::parse("10.1.9.53")});  // of the family that it can use
    CHECK(traffic(client) == "10.9.0.1 === 10.1.0.0/16");
    CHECK(traffic(only(world[0])) == "10.1.0.0/16 === 10.9.0.1");
    CHECK(world.ping(1, 0, packet("10.9.0.1", "10.1.0.5")));
    CHECK(world.ping(0, 1, packet("10.1.0.5", "10.9.0.1")));
    CHECK(world[1].said("the peer lends us 10.9.0.1, DNS 10.1.9.53"));
}

TEST_CASE("of both families, each network is reached by an address of its own (RFC 7296 3.15.1)") {
    auto lending = lender({"10.9.0.0/24", "2001:db8:9::/64"}, {"10.1.9.53", "2001:db8::53"});
    auto client = borrower(2);
    for (auto* const networks : {&lending->children[0].local, &client->children[0].remote})
        networks->push_back(*Prefix::parse("2001:db8:1::/48"));
    World world = road(lending, {client});
    bring_up(world, 1);
    INFO(world.tail(20));
    CHECK(addresses(only(world[1])) == "10.9.0.1 2001:db8:9::1");
    CHECK(only(world[1])->internal_dns.size() == 2);
    CHECK(world.ping(1, 0, packet("10.9.0.1", "10.1.0.5")));
    CHECK(world.ping(1, 0, packet("2001:db8:9::1", "2001:db8:1::5")));
}

TEST_CASE("each client has an address of its own, and gives it back when its IKE SA ends (RFC 7296 2.19)") {
    World world = road(lender({"10.9.0.0/29"}), {borrower(2), borrower(3)});
    bring_up(world, 1);
    bring_up(world, 2);
    CHECK(addresses(with_client(world, 2)) == "10.9.0.1");
    CHECK(addresses(with_client(world, 3)) == "10.9.0.2");
    CHECK(world.ping(0, 2, packet("10.1.0.5", "10.9.0.2")));
    REQUIRE(order(world, 1, "down", "to-1"));
    world.run(Instant{40'000});
    CHECK(world[0].engine->size() == 1);
    CHECK(world[0].engine->addresses_lent() == 1);
    CHECK(!world.ping(0, 1, packet("10.1.0.5", "10.9.0.1")));
    bring_up(world, 1);  // the same again
    CHECK(addresses(with_client(world, 2)) == "10.9.0.1");
    world[1].up = false;
    world.run(Instant{400'000});  // silent: the gateway gives it up
    CHECK(world[0].engine->addresses_lent() == 1);
}

TEST_CASE("who proves himself again or rekeys keeps his address, and his traffic (RFC 7296 2.8.3)") {
    World world = road(lender({"10.9.0.0/29"}), {borrower(2)});
    bring_up(world, 1);
    for (const char* const verb : {"reauth", "rekey"}) {
        REQUIRE(order(world, 1, verb, "to-1"));
        world.run(Instant{40'000});
        INFO(verb << world.tail(30));
        CHECK(addresses(only(world[0])) == "10.9.0.1");
        CHECK(addresses(only(world[1])) == "10.9.0.1");
        CHECK(traffic(only(world[1])) == "10.9.0.1 === 10.1.0.0/16");
        CHECK(world.ping(1, 0, packet("10.9.0.1", "10.1.0.5")));
        CHECK(world[0].engine->addresses_lent() == 1);
    }
    REQUIRE(order(world, 1, "rekey", "offices-1"));
    world.run(Instant{40'000});
    CHECK(world.ping(1, 0, packet("10.9.0.1", "10.1.0.5")));
    world.restart(1);  // it comes back as itself, by INITIAL_CONTACT
    bring_up(world, 1);
    world.run(Instant{40'000});
    CHECK(addresses(only(world[0])) == "10.9.0.1");
    CHECK(world[0].engine->addresses_lent() == 1);
}

TEST_CASE("an empty pool: INTERNAL_ADDRESS_FAILURE, no child, and the client goes (RFC 7296 3.15.4)") {
    World world = road(lender({"10.9.0.1/32"}), {borrower(2), borrower(3)});
    bring_up(world, 1);
    bring_up(world, 2);
    world.run(Instant{40'000});
    INFO(world.tail(30));
    CHECK(addresses(with_client(world, 2)) == "10.9.0.1");
    CHECK(world[0].said("no address is left for 20.0.0.3"));
    CHECK(world[2].said("the peer lends us no address: INTERNAL_ADDRESS_FAILURE"));
    CHECK(world[2].engine->size() == 0);
    CHECK(world[0].engine->size() == 1);
    CHECK(world[0].engine->addresses_lent() == 1);
}

TEST_CASE("who asks for no address has no child that wants one: FAILED_CP_REQUIRED, the IKE SA stays (RFC 7296 2.19)") {
    auto client = connection(2, server);
    client->children[0].local = {*Prefix::parse("10.9.0.7/32")};
    World world = road(lender({"10.9.0.0/24"}), {client});
    bring_up(world, 1);
    INFO(world.tail(20));
    CHECK(world[1].said("FAILED_CP_REQUIRED"));
    CHECK(world[0].said("is for peers who ask for an address, and this one did not"));
    CHECK(count(world[0], IkeState::established) == 1);
    CHECK(world[0].sad.size() == 0);
    REQUIRE(order(world, 1, "up", "offices-1"));  // nor by CREATE_CHILD_SA
    world.run(Instant{1'000});
    CHECK(world[0].sad.size() == 0);
}

TEST_CASE("nobody has another one's address as his traffic: it is narrowed to his own (RFC 7296 2.9, 2.19)") {
    auto greedy = borrower(3);
    World world = road(lender({"10.9.0.0/24"}), {borrower(2), greedy});
    bring_up(world, 1);
    change(world, false, [](Payloads& payloads) {
        get<TsInitiator>(payloads)->selectors = {
            to_traffic_selector(*Prefix::parse("10.9.0.1/32"), {}, PortRange::any())};
    });
    bring_up(world, 2);
    world.run(Instant{1'000});
    INFO(world.tail(20));
    CHECK(addresses(with_client(world, 3)) == "10.9.0.2");
    CHECK(with_client(world, 3)->children.empty());
    CHECK(world.ping(0, 1, packet("10.1.0.5", "10.9.0.1")));
}

TEST_CASE("a client of a gateway without a pool, or whose answer has no address, has nothing of it (RFC 7296 3.15.4)") {
    const std::vector<std::function<void(Payloads&)>> changes{
        [](Payloads& payloads) { drop<Configuration>(payloads); },
        [](Payloads& payloads) { get<Configuration>(payloads)->type = CfgType::request; },
        [](Payloads& payloads) { get<Configuration>(payloads)->attributes.clear(); },
        [](Payloads& payloads) { get<Configuration>(payloads)->attributes[0].value.clear(); },
        [](Payloads& payloads) { get<Configuration>(payloads)->attributes[0].value.assign(4, std::byte{0xff}); },
        [](Payloads& payloads) {
            get<Configuration>(payloads)->attributes[0].value = {std::byte{127}, {}, {}, std::byte{1}};
        },
        [](Payloads& payloads) { get<Configuration>(payloads)->attributes[0].value.assign(4, std::byte{}); },
    };
    for (const auto& how : changes) {
        World world = road(lender({"10.9.0.0/24"}), {borrower(2)});
        change(world, true, how);
        bring_up(world, 1);
        world.run(Instant{40'000});
        INFO(world.tail(20));
        CHECK(world[1].said("the peer lends us no address"));
        CHECK(world[1].engine->size() + world[0].engine->size() == 0);
        CHECK(world[0].engine->addresses_lent() == 0);
    }
}

TEST_CASE("requests of any form are answered with what there is of them, and harm nothing (RFC 7296 3.15)") {
    using Attribute = Configuration::Attribute;
    const Octets four(4, std::byte{9}), seventeen(17, std::byte{9});
    const std::vector<std::vector<Attribute>> requests{
        {},
        {{CfgAttribute::internal_ip4_address, four}, {CfgAttribute::internal_ip4_address, {}}},
        std::vector<Attribute>(64, {CfgAttribute::internal_ip4_address, {}}),
        {{CfgAttribute::internal_ip6_address, seventeen}},
        {{CfgAttribute{16383}, four},
         {CfgAttribute::application_version, {}},
         {CfgAttribute::internal_ip4_netmask, {}}},
        {{CfgAttribute::internal_ip4_dns, {}}},
    };
    for (const auto& request : requests)
        for (const CfgType type : {CfgType::request, CfgType::set, CfgType{200}}) {
            World world = road(lender({"10.9.0.0/24"}, {"10.1.9.53"}), {borrower(2)});
            change(world, false, [&](Payloads& payloads) { *get<Configuration>(payloads) = {type, request}; });
            bring_up(world, 1);
            world.run(Instant{1'000});
            CHECK(!world[0].said("SAD: "));
            CHECK(world[0].engine->addresses_lent() <= 1);
            world.run(Instant{200'000});
            if (world[1].engine->size() == 0) CHECK(world[0].engine->addresses_lent() == 0);
        }
}

TEST_CASE("the netmask is told to whom it says something, and one address of a family is enough (RFC 7296 3.15.1)") {
    World world = road(lender({"10.9.0.0/22"}), {borrower(2)});
    std::vector<Configuration::Attribute> answered;
    world.tap = [&](Datagram& datagram) {
        const auto header = parse_header(datagram.octets);
        if (header->exchange != ExchangeType::ike_auth) return true;
        rewrite(world, datagram, [&](Opened& opened) {
            auto* const configuration = get<Configuration>(opened.payloads);
            if (header->response)
                answered = configuration->attributes;
            else
                configuration->attributes = {{CfgAttribute::internal_ip4_netmask, {}},
                                             {CfgAttribute::internal_ip4_address, {}},
                                             {CfgAttribute::internal_ip4_address, {}}};
        });
        return true;
    };
    bring_up(world, 1);
    REQUIRE(answered.size() == 2);
    CHECK(answered[0].type == CfgAttribute::internal_ip4_address);
    CHECK(answered[1].type == CfgAttribute::internal_ip4_netmask);
    CHECK(answered[1].value == Octets{std::byte{255}, std::byte{255}, std::byte{252}, std::byte{0}});
}

TEST_CASE("a childless client has its address with the IKE SA, and its child by it afterwards (RFC 6023 4)") {
    auto client = borrower(2);
    client->childless = true;
    World world = road(lender({"10.9.0.0/24"}), {client});
    bring_up(world, 1);
    INFO(world.tail(20));
    CHECK(addresses(only(world[1])) == "10.9.0.1");
    CHECK(traffic(only(world[1])) == "10.9.0.1 === 10.1.0.0/16");
    CHECK(world.ping(1, 0, packet("10.9.0.1", "10.1.0.5")));
}

TEST_CASE("when the configuration takes a pool away its addresses come back, and its clients begin anew") {
    World world = road(lender({"10.9.0.0/24"}), {borrower(2)});
    bring_up(world, 1);
    world.perform(world[0], world[0].engine->configure(config_of({lender({"10.9.1.0/24"})}), world.now()));
    world.run(Instant{40'000});
    CHECK(world[0].engine->addresses_lent() == 0);
    bring_up(world, 1);
    CHECK(addresses(only(world[1])) == "10.9.1.1");
}
