// The anti-replay window: tables a reader checks by eye, and a brute-force model for everything else.
#include "sa/replay_window.h"

#include <random>
#include <set>
#include <vector>

#include "catch.h"

using namespace torii;

namespace {

/// A window with the memory that a wide one needs.
struct Window {
    explicit Window(std::uint32_t size)
        : words(size > 64 ? replay_words(size) : 0), replay(size, size > 64 ? words.data() : nullptr) {}
    std::vector<std::uint64_t> words;
    ReplayWindow replay;
};

struct Row {
    std::uint64_t number;
    Replay verdict;
};
constexpr auto fresh = Replay::fresh, duplicate = Replay::duplicate, too_old = Replay::too_old;

void check(std::uint32_t size, const std::vector<Row>& table) {
    Window window{size};
    for (const auto& [number, verdict] : table) {
        INFO("window " << size << ", number " << number);
        CHECK(window.replay.admits(number) == (verdict == Replay::fresh));
        CHECK(window.replay.commit(number) == verdict);
    }
}

/// RFC 4303 3.4.3 by remembering everything.
class Model {
public:
    explicit Model(std::uint32_t size) : size_(size) {}
    Replay commit(std::uint64_t n) {
        const std::uint64_t highest = seen_.empty() ? 0 : *seen_.rbegin();
        if (n == 0 || (n <= highest && highest - n >= size_)) return Replay::too_old;
        return seen_.insert(n).second ? Replay::fresh : Replay::duplicate;
    }
    std::uint64_t highest() const { return seen_.empty() ? 0 : *seen_.rbegin(); }

private:
    std::uint64_t size_;
    std::set<std::uint64_t> seen_;
};

}  // namespace

TEST_CASE("a replay window of 32 refuses duplicates and the past (RFC 4303 3.4.3)") {
    check(32, {
                  {0, too_old},  // numbers start at 1
                  {1, fresh},
                  {1, duplicate},
                  {32, fresh},  // the window is now 1..32
                  {1, duplicate},
                  {2, fresh},
                  {33, fresh},  // 2..33
                  {1, too_old},
                  {2, duplicate},
                  {3, fresh},
                  {1000, fresh},  // 969..1000
                  {968, too_old},
                  {969, fresh},
                  {999, fresh},
                  {1000, duplicate},
              });
}

TEST_CASE("a replay window of 64 refuses duplicates and the past (RFC 4303 3.4.3)") {
    check(64, {
                  {1, fresh},
                  {1, duplicate},
                  {65, fresh},  // the window is now 2..65
                  {1, too_old},
                  {2, fresh},  // its left edge is inside
                  {2, duplicate},
                  {64, fresh},
                  {128, fresh},  // 65..128
                  {64, too_old},
                  {65, duplicate},
                  {66, fresh},
                  {129, fresh},  // 66..129: the ring of words has gone round
                  {65, too_old},
                  {66, duplicate},
                  {67, fresh},
              });
}

TEST_CASE("a replay window of 128 refuses duplicates and the past (RFC 4303 3.4.3)") {
    check(128, {
                   {128, fresh},  // the window is now 1..128
                   {1, fresh},
                   {0, too_old},
                   {129, fresh},  // 2..129
                   {1, too_old},
                   {2, fresh},
                   {385, fresh},  // 258..385: a jump of exactly the ring
                   {257, too_old},
                   {258, fresh},
                   {384, fresh},
                   {385, duplicate},
               });
}

TEST_CASE("a replay window of 1024 refuses duplicates and the past (RFC 4303 3.4.3)") {
    check(1024, {
                    {1024, fresh},  // the window is now 1..1024
                    {1, fresh},
                    {512, fresh},
                    {1025, fresh},  // 2..1025
                    {1, too_old},
                    {2, fresh},
                    {512, duplicate},
                    {2048, fresh},  // 1025..2048
                    {1024, too_old},
                    {1025, duplicate},
                    {1026, fresh},
                    {1'000'000, fresh},  // 998977..1000000
                    {998'976, too_old},
                    {998'977, fresh},
                });
}

TEST_CASE("a replay window of 65536 refuses duplicates and the past (RFC 4303 3.4.3)") {
    check(65536, {
                     {65536, fresh},  // the window is now 1..65536
                     {1, fresh},
                     {1, duplicate},
                     {65537, fresh},  // 2..65537
                     {1, too_old},
                     {2, fresh},
                     {40'000, fresh},
                     {100'000, fresh},  // 34465..100000
                     {34'464, too_old},
                     {34'465, fresh},
                     {40'000, duplicate},
                     {65'537, duplicate},
                 });
}

TEST_CASE("an SA without a replay window takes every number, and remembers the highest") {
    ReplayWindow none;
    CHECK(none.commit(7) == fresh);
    CHECK(none.commit(7) == fresh);
    CHECK(none.commit(0) == fresh);
    CHECK(none.highest() == 7);
}

TEST_CASE("a replay window of any size agrees with a model that remembers everything") {
    for (const std::uint32_t size :
         {32u, 33u, 40u, 63u, 64u, 65u, 96u, 127u, 128u, 129u, 200u, 1000u, 1024u, 4097u, 65535u, 65536u}) {
        std::mt19937_64 random{size};
        Window window{size};
        Model model{size};
        const auto up_to = [&](std::uint64_t n) { return random() % n; };
        for (int step = 0; step < 6000; ++step) {
            const std::uint64_t top = model.highest();
            std::uint64_t n = 0;
            switch (up_to(8)) {
                case 0: n = top + 1; break;
                case 1: n = top + 1 + up_to(64); break;
                case 2: n = top + up_to(3ull * size); break;
                case 3: n = top >= size ? top - size + up_to(3) : up_to(3); break;  // the left edge
                case 4: n = up_to(400) == 0 ? top + (1ull << (20 + up_to(20))) : top; break;
                default: n = top - std::min(top, up_to(size + 16ull)); break;
            }
            const bool admitted = window.replay.admits(n);
            const Replay expected = model.commit(n);
            const Replay verdict = window.replay.commit(n);
            if (verdict != expected || admitted != (expected == fresh) || window.replay.highest() != model.highest()) {
                INFO("window " << size << ", step " << step << ", number " << n << ", highest " << top);
                REQUIRE(verdict == expected);
                REQUIRE(admitted == (expected == fresh));
                REQUIRE(window.replay.highest() == model.highest());
            }
        }
        CHECK(window.replay.size() == size);
    }
}

TEST_CASE("the high half of an extended sequence number is recovered from the low half (RFC 4303 appendix A2)") {
    struct EsnRow {
        std::uint64_t highest;
        std::uint32_t low;
        std::uint64_t full;
    };
    const std::uint32_t window = 64;
    const auto row = GENERATE(values<EsnRow>({
        // the window lies within one subspace: what is left of it belongs to the next
        {0x1'0000'1000, 0x0000'1000, 0x1'0000'1000},
        {0x1'0000'1000, 0x0000'1001, 0x1'0000'1001},
        {0x1'0000'1000, 0x0000'0fc1, 0x1'0000'0fc1},
        {0x1'0000'1000, 0x0000'0fc0, 0x2'0000'0fc0},
        {0x1'0000'1000, 0x0000'0000, 0x2'0000'0000},
        {0x1'0000'1000, 0xffff'ffff, 0x1'ffff'ffff},
        // the top is the last of the first 64: the window starts at 0 and there is nothing left of it
        {0x1'0000'003f, 0x0000'0000, 0x1'0000'0000},
        {0x1'0000'003f, 0xffff'ffff, 0x1'ffff'ffff},
        // the window spans two subspaces
        {0x1'0000'003e, 0xffff'ffff, 0x0'ffff'ffff},
        {0x1'0000'0010, 0xffff'ffd1, 0x0'ffff'ffd1},
        {0x1'0000'0010, 0xffff'ffd0, 0x1'ffff'ffd0},
        {0x1'0000'0010, 0x0000'0010, 0x1'0000'0010},
        {0x1'0000'0010, 0x0000'0000, 0x1'0000'0000},
        // a young SA has no subspace below
        {0, 1, 1},
        {0, 0xffff'ffff, 0xffff'ffff},
        {10, 11, 11},
        // crossing into the next subspace
        {0x0'ffff'fff0, 0x0000'0005, 0x1'0000'0005},
    }));
    INFO(std::hex << "highest " << row.highest << " low " << row.low);
    CHECK(recovered_sequence(row.low, row.highest, window) == row.full);
}

TEST_CASE("every number from the window's left edge to nearly 2^32 ahead of it is recovered whole") {
    std::mt19937_64 random{4303};
    for (const std::uint32_t window : {32u, 64u, 1024u, 65536u})
        for (int i = 0; i < 5000; ++i) {
            const std::uint64_t highest = window + random() % (1ull << 36);
            const std::uint64_t truth = highest - window + 1 + random() % (1ull << 32);
            const std::uint64_t found = recovered_sequence(static_cast<std::uint32_t>(truth), highest, window);
            if (found != truth) {
                INFO("window " << window << ", highest " << highest);
                REQUIRE(found == truth);
            }
        }
    SUCCEED();
}
