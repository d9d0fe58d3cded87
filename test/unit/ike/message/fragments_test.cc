#include "ike/message/fragments.h"

#include <algorithm>

#include "octets.h"

using namespace torii::ike;
using namespace torii::ike::test;
using Taken = FragmentAssembly::Taken;

TEST_CASE("fragments become the message in whatever order they come (RFC 7383 2.6)") {
    std::vector<std::uint16_t> order{1, 2, 3, 4};
    do {
        FragmentAssembly assembly;
        for (std::size_t i = 0; i < order.size(); ++i)
            CHECK(assembly.add(5, order[i], 4, order[i] == 1 ? PayloadType::cert : PayloadType::none,
                               repeated(order[i], static_cast<unsigned char>(order[i]))) ==
                  (i + 1 < order.size() ? Taken::waiting : Taken::complete));
        const auto whole = assembly.take();
        CHECK(whole.first == PayloadType::cert);
        CHECK(whole.payloads == octets("01 0202 030303 04040404"));
    } while (std::ranges::next_permutation(order).found);
}

TEST_CASE("one fragment can be a whole message, and the type inside counts in the first alone (RFC 7383 2.5)") {
    FragmentAssembly assembly;
    CHECK(assembly.add(0, 1, 1, PayloadType::sa, octets("aa")) == Taken::complete);
    CHECK(assembly.take().first == PayloadType::sa);
    CHECK(assembly.add(1, 1, 2, PayloadType::auth, {}) == Taken::waiting);
    CHECK(assembly.add(1, 2, 2, PayloadType::sa, {}) == Taken::complete);
    CHECK(assembly.take().first == PayloadType::auth);
}

TEST_CASE("a fragment that is there already changes nothing, the last one neither (RFC 7383 2.6)") {
    FragmentAssembly assembly;
    CHECK(assembly.add(7, 2, 2, PayloadType::none, octets("02")) == Taken::waiting);
    CHECK(assembly.add(7, 2, 2, PayloadType::none, octets("ff")) == Taken::duplicate);
    CHECK(assembly.add(7, 1, 2, PayloadType::sa, octets("01")) == Taken::complete);
    CHECK(assembly.add(7, 1, 2, PayloadType::ke, octets("ff")) == Taken::duplicate);
    const auto whole = assembly.take();
    CHECK(whole.first == PayloadType::sa);
    CHECK(whole.payloads == octets("0102"));
    CHECK(assembly.take().payloads.empty());
}

TEST_CASE("a message cut anew into more fragments starts afresh, late ones of the old cut are refused (RFC 7383 2.6)") {
    FragmentAssembly assembly;
    CHECK(assembly.add(7, 1, 2, PayloadType::sa, octets("0102")) == Taken::waiting);
    CHECK(assembly.add(7, 1, 3, PayloadType::sa, octets("01")) == Taken::waiting);
    CHECK(assembly.add(7, 2, 2, PayloadType::none, octets("ff")) == Taken::refused);
    CHECK(assembly.add(7, 2, 3, PayloadType::none, octets("02")) == Taken::waiting);
    CHECK(assembly.add(7, 3, 3, PayloadType::none, octets("03")) == Taken::complete);
    CHECK(assembly.take().payloads == octets("010203"));
}

TEST_CASE("another message replaces what was left of the last one, the first id 0 among them") {
    FragmentAssembly assembly;
    CHECK(assembly.add(0, 1, 3, PayloadType::sa, octets("aa")) == Taken::waiting);
    CHECK(assembly.add(1, 2, 2, PayloadType::none, octets("02")) == Taken::waiting);
    CHECK(assembly.add(1, 1, 2, PayloadType::ke, octets("01")) == Taken::complete);
    CHECK(assembly.take().payloads == octets("0102"));
}

TEST_CASE("numbers that cannot be, too many fragments and too many octets are refused (RFC 7383 2.5, 5)") {
    FragmentAssembly assembly;
    CHECK(assembly.add(1, 0, 1, PayloadType::sa, octets("aa")) == Taken::refused);
    CHECK(assembly.add(1, 0, 0, PayloadType::sa, octets("aa")) == Taken::refused);
    CHECK(assembly.add(1, 2, 1, PayloadType::sa, octets("aa")) == Taken::refused);
    CHECK(assembly.add(1, 1, FragmentAssembly::most_fragments + 1, PayloadType::sa, {}) == Taken::refused);
    CHECK(assembly.add(1, 1, 65535, PayloadType::sa, {}) == Taken::refused);

    CHECK(assembly.add(1, 1, FragmentAssembly::most_fragments, PayloadType::sa, {}) == Taken::waiting);
    assembly.clear();
    CHECK(assembly.add(1, 1, 3, PayloadType::sa, repeated(FragmentAssembly::most_octets - 1, 1)) == Taken::waiting);
    CHECK(assembly.add(1, 2, 3, PayloadType::none, repeated(2, 2)) == Taken::refused);
    CHECK(assembly.add(1, 2, 3, PayloadType::none, repeated(1, 2)) == Taken::waiting);
    CHECK(assembly.add(1, 3, 3, PayloadType::none, {}) == Taken::complete);
    CHECK(assembly.take().payloads.size() == FragmentAssembly::most_octets);
    CHECK(assembly.add(2, 1, 2, PayloadType::sa, repeated(FragmentAssembly::most_octets + 1, 1)) == Taken::refused);
    CHECK(assembly.take().payloads.empty());  // not complete: nothing
}
