// The SPI index: what is in it is found and nothing else, whatever was removed, however full, whichever tags collide.
#include "sa/spi_index.h"

#include <random>
#include <unordered_map>

#include "catch.h"

using namespace torii;

namespace {

const Address tokyo = Address::v4(0x14000001), osaka = Address::v4(0x14000003);
constexpr IpsecProtocol esp = IpsecProtocol::esp;

struct Sas {
    explicit Sas(std::size_t count) : blocks(std::make_unique<InboundSa[]>(count)) {}
    InboundSa& make(std::size_t i, const Address& destination, std::uint32_t spi) {
        blocks[i].destination = destination;
        blocks[i].spi = spi;
        return blocks[i];
    }
    std::unique_ptr<InboundSa[]> blocks;
};

}  // namespace

TEST_CASE("an inbound SA is found by destination and SPI as long as it is in the index") {
    Sas sas{3};
    SpiIndex index{64, 1};
    InboundSa& first = sas.make(0, tokyo, 0x1001);
    CHECK(index.find_exact(tokyo, esp, 0x1001) == nullptr);
    CHECK(index.find_tag(index.hash(tokyo, esp, 0x1001)) == nullptr);
    REQUIRE(index.insert(first));
    CHECK(index.find_exact(tokyo, esp, 0x1001) == &first);
    CHECK(index.find_tag(index.hash(tokyo, esp, 0x1001)) == &first);
    CHECK(index.find_exact(tokyo, esp, 0x1002) == nullptr);
    index.remove(first);
    CHECK(index.find_exact(tokyo, esp, 0x1001) == nullptr);
    CHECK(index.find_tag(index.hash(tokyo, esp, 0x1001)) == nullptr);
}

TEST_CASE("ESP and AH to one destination may have the same SPI (RFC 4301 4.4.2.1)") {
    Sas sas{2};
    SpiIndex index{2, 7};
    InboundSa& of_esp = sas.make(0, tokyo, 0x1001);
    InboundSa& of_ah = sas.make(1, tokyo, 0x1001);
    of_ah.protocol = IpsecProtocol::ah;
    REQUIRE(index.insert(of_esp));
    CHECK(index.find_exact(tokyo, IpsecProtocol::ah, 0x1001) == nullptr);
    REQUIRE(index.insert(of_ah));
    CHECK(index.find_exact(tokyo, IpsecProtocol::ah, 0x1001) == &of_ah);
    CHECK(index.find_exact(tokyo, esp, 0x1001) == &of_esp);
}

TEST_CASE("two of our addresses may use the same SPI (RFC 4301 4.1)") {
    Sas sas{2};
    SpiIndex index{64, 2};
    InboundSa& ours = sas.make(0, tokyo, 0x1001);
    InboundSa& other = sas.make(1, osaka, 0x1001);
    REQUIRE(index.insert(ours));
    REQUIRE(index.insert(other));
    CHECK(index.find_exact(tokyo, esp, 0x1001) == &ours);
    CHECK(index.find_exact(osaka, esp, 0x1001) == &other);
    index.remove(ours);
    CHECK(index.find_exact(tokyo, esp, 0x1001) == nullptr);
    CHECK(index.find_exact(osaka, esp, 0x1001) == &other);
}

TEST_CASE("a replacement stands beside what it replaces until that is removed") {
    Sas sas{2};
    SpiIndex index{64, 3};
    InboundSa& old_sa = sas.make(0, tokyo, 0x1001);
    InboundSa& new_sa = sas.make(1, tokyo, 0x1001);
    REQUIRE(index.insert(old_sa));
    REQUIRE(index.insert(new_sa));
    CHECK(index.find_exact(tokyo, esp, 0x1001) != nullptr);
    index.remove(old_sa);
    CHECK(index.find_exact(tokyo, esp, 0x1001) == &new_sa);
}

TEST_CASE("an address hashes the same from packet octets and from a value") {
    SpiIndex index{64, 4};
    const std::uint8_t on_the_wire[4]{20, 0, 0, 1};
    CHECK(index.hash(on_the_wire, esp, 0x1001) == index.hash(tokyo, esp, 0x1001));
    CHECK(index.hash(on_the_wire, esp, 0x1001) != index.hash(osaka, esp, 0x1001));
}

TEST_CASE("strangers whose tags collide are told apart by find_exact") {
    SpiIndex index{16, 5};
    // Two SPIs that share tag (6 low and 16 high bits of the hash) and bucket (the bits above the low 6).
    const std::uint64_t place_bits = (index.buckets() - 1) << 6 | 0x3f | 0xffffull << 48;
    std::unordered_map<std::uint64_t, std::uint32_t> by_place;
    std::uint32_t one = 0, two = 0;
    for (std::uint32_t spi = 256; two == 0 && spi < 10'000'000; ++spi) {
        const auto [known, news] = by_place.emplace(index.hash(tokyo, esp, spi) & place_bits, spi);
        if (!news) one = known->second, two = spi;
    }
    REQUIRE(two != 0);
    Sas sas{2};
    InboundSa& first = sas.make(0, tokyo, one);
    InboundSa& second = sas.make(1, tokyo, two);
    REQUIRE(index.insert(first));
    CHECK(index.find_exact(tokyo, esp, two) == nullptr);
    REQUIRE(index.insert(second));
    CHECK(index.find_tag(index.hash(tokyo, esp, two)) == &first);  // which is why callers compare
    CHECK(index.find_exact(tokyo, esp, one) == &first);
    CHECK(index.find_exact(tokyo, esp, two) == &second);
    index.remove(first);
    CHECK(index.find_exact(tokyo, esp, two) == &second);
    CHECK(index.find_exact(tokyo, esp, one) == nullptr);
}

TEST_CASE("a full bucket refuses, and a table twice the size takes everything") {
    constexpr std::size_t count = 2000;
    Sas sas{count};
    std::mt19937 random{6};
    auto index = std::make_unique<SpiIndex>(16, 7);
    std::size_t growths = 0;
    for (std::size_t i = 0; i < count; ++i) {
        InboundSa& sa = sas.make(i, tokyo, static_cast<std::uint32_t>(0x1000 + random() % 0x7fffffff));
        while (!index->insert(sa)) {
            auto larger = std::make_unique<SpiIndex>(index->buckets() * 4, 7);
            CHECK(larger->buckets() == index->buckets() * 2);
            index->each([&](InboundSa& known) { REQUIRE(larger->insert(known)); });
            index = std::move(larger);
            ++growths;
        }
    }
    CHECK(growths >= 4);
    std::size_t found = 0, visited = 0;
    for (std::size_t i = 0; i < count; ++i) found += index->find_exact(tokyo, esp, sas.blocks[i].spi) != nullptr;
    index->each([&](InboundSa&) { ++visited; });
    CHECK(found == count);
    CHECK(visited == count);
}
