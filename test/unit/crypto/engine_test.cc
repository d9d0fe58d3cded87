#include <algorithm>
#include <map>
#include <set>

#include "packets.h"

using namespace torii;
using namespace torii::test;

namespace {

/// Packets of many suites and keys, and the jobs over them.
struct Work {
    std::vector<Packet> packets;
    std::vector<const KeyBlock*> keys;
    std::vector<Suite> suites;

    void add(Packet packet, const KeyBlock& key, const Suite& suite) {
        packets.push_back(std::move(packet));
        keys.push_back(&key);
        suites.push_back(suite);
    }
    std::vector<CryptoJob> jobs() {
        std::vector<CryptoJob> out;
        for (std::size_t i = 0; i < packets.size(); ++i) out.push_back(packets[i].job(*keys[i]));
        return out;
    }
};

template <class Do>
void in_batches(std::span<CryptoJob> jobs, Do work) {
    for (std::size_t at = 0; at < jobs.size(); at += 256)
        work(jobs.subspan(at, std::min<std::size_t>(256, jobs.size() - at)));
}

/// Seals and opens `work`; each packet must come out as the reference says, and go in again.
void check_against_reference(const CryptoBook& book, Work& work) {
    const auto engine = book.make_engine();
    const std::vector<Packet> before = work.packets;
    auto jobs = work.jobs();
    in_batches(jobs, [&](auto batch) { engine->seal(batch); });
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < jobs.size(); ++i)
        wrong += work.packets[i].octets != sealed_by_reference(before[i], work.suites[i], *work.keys[i]);
    CHECK(wrong == 0);
    const std::vector<Packet> sealed = work.packets;
    in_batches(jobs, [&](auto batch) { engine->open(batch); });
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        Octets expected = sealed[i].octets;  // ICVs stay as received
        std::copy(before[i].octets.begin(),
                  before[i].octets.end() - static_cast<std::ptrdiff_t>(icv_octets(work.suites[i])), expected.begin());
        wrong += !jobs[i].authentic || work.packets[i].octets != expected;
    }
    CHECK(wrong == 0);
}

/// How many of `jobs` pass for authentic.
std::size_t opened(CryptoEngine& engine, std::span<CryptoJob> jobs) {
    in_batches(jobs, [&](auto batch) { engine.open(batch); });
    return static_cast<std::size_t>(std::ranges::count(jobs, true, &CryptoJob::authentic));
}

}  // namespace

TEST_CASE("every kernel seals as OpenSSL does and opens what it sealed, for every text up to 300 octets") {
    const auto only = GENERATE(from_range(kernel_names()));
    const auto made = book(only);
    std::mt19937 random{7};
    for (const Suite& suite : suites_of(*made)) {
        CAPTURE(only, info(suite.cipher).name, suite.cipher_key_bits, info(suite.auth).name);
        std::vector<std::unique_ptr<KeyBlock>> keys;
        for (int i = 0; i < 5; ++i) keys.push_back(random_key(random, *made, suite));
        Work work;
        const std::size_t unit = text_unit(suite);
        for (std::size_t octets = unit == 1 ? 0 : unit; octets <= 300; octets += unit)
            work.add(packet(random, suite, octets), *keys[random() % keys.size()], suite);
        check_against_reference(*made, work);
    }
}

TEST_CASE("a batch may mix suites, keys and lengths in any order") {
    const auto made = book();
    std::mt19937 random{11};
    const auto suites = suites_of(*made);
    std::vector<std::unique_ptr<KeyBlock>> keys;
    for (const Suite& suite : suites) keys.push_back(random_key(random, *made, suite));
    Work work;
    for (int i = 0; i < 1024; ++i) {
        const std::size_t which = random() % suites.size();
        const std::size_t unit = text_unit(suites[which]);
        work.add(packet(random, suites[which], unit * (1 + random() % (1500 / unit))), *keys[which], suites[which]);
    }
    check_against_reference(*made, work);
}

TEST_CASE("one altered octet anywhere in a packet is noticed, and spoils no other packet of the batch") {
    const auto made = book(GENERATE("", "burst", "openssl"));
    const auto engine = made->make_engine();
    std::mt19937 random{13};
    for (const Suite& suite : suites_of(*made)) {
        if (icv_octets(suite) == 0) continue;
        CAPTURE(info(suite.cipher).name, suite.cipher_key_bits, info(suite.auth).name);
        const auto key = random_key(random, *made, suite);
        Packet original = packet(random, suite, 48);
        CryptoJob job = original.job(*key);
        engine->seal({&job, 1});
        Work work;
        for (std::size_t at = 0; at < original.octets.size(); ++at) {
            Packet altered = original;
            altered.octets[at] ^= static_cast<std::byte>(1u << random() % 8);
            work.add(std::move(altered), *key, suite);
            work.add(original, *key, suite);
        }
        auto jobs = work.jobs();
        CHECK(opened(*engine, jobs) == original.octets.size());
        for (std::size_t i = 0; i < jobs.size(); ++i) CHECK(jobs[i].authentic == (i % 2 == 1));
    }
}

TEST_CASE("the high half of an extended sequence number is authenticated though never sent (RFC 4303 2.2.1)") {
    const auto made = book();
    const auto engine = made->make_engine();
    std::mt19937 random{17};
    for (const Suite& suite : suites_of(*made)) {
        CAPTURE(info(suite.cipher).name, suite.cipher_key_bits, info(suite.auth).name);
        const auto key = random_key(random, *made, suite);
        Packet original = packet(random, suite, 48);
        original.esn = true;
        CryptoJob job = original.job(*key);
        engine->seal({&job, 1});
        Work work;
        for (const bool altered : {false, true, false}) {
            work.add(original, *key, suite);
            work.packets.back().sequence_high += altered;
        }
        auto jobs = work.jobs();
        CHECK(opened(*engine, jobs) == (icv_octets(suite) == 0 ? 3 : 2));
    }
}

TEST_CASE("inbound text that is no positive multiple of a CBC cipher's block is not authentic and not touched") {
    const auto made = book(GENERATE("", "burst", "openssl"));
    const auto engine = made->make_engine();
    std::mt19937 random{19};
    for (const Suite& suite : suites_of(*made)) {
        if (text_unit(suite) == 1) continue;
        CAPTURE(info(suite.cipher).name, info(suite.auth).name);
        const auto key = random_key(random, *made, suite);
        Work work;
        for (std::size_t octets = 0; octets < 40; ++octets)
            if (octets == 0 || octets % text_unit(suite) != 0) work.add(packet(random, suite, octets), *key, suite);
        const auto before = work.packets;
        auto jobs = work.jobs();
        CHECK(opened(*engine, jobs) == 0);
        for (std::size_t i = 0; i < jobs.size(); ++i) CHECK(work.packets[i].octets == before[i].octets);
    }
}

TEST_CASE("an AEAD takes no authenticator, and ESP needs a cipher or an authenticator (RFC 4303 3.2)") {
    const auto made = book();
    for (const AuthInfo& auth : auths()) {
        if (auth.id == AuthId::null) continue;
        const auto refused = made->suite({CipherId::aes_gcm_16, auth.id, 128});
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::unsupported);
        CHECK(made->suite({CipherId::null, auth.id, 0}));
        CHECK(made->suite({CipherId::aes_cbc, auth.id, 128}).has_value() ==
              !auth.ah_old);  // RFC 1826 knows no ESP of now
    }
    const auto nothing = made->suite({CipherId::null, AuthId::null, 0});
    REQUIRE_FALSE(nothing);
    CHECK(nothing.error().text() ==
          "ESP with neither cipher nor authenticator protects nothing (RFC 4303 3.2) [unsupported]");
    CHECK(made->suite({CipherId::aes_cbc, AuthId::null, 128}));
    CHECK(made->suite({CipherId::aes_cbc, AuthId::null, 120}).error().code == Errc::bad_key_length);
    CHECK(made->suite({CipherId::blowfish_cbc, AuthId::null, 40}).value() ==
          made->suite({CipherId::blowfish_cbc, AuthId::null, 448}).value());
    const Suite aes{CipherId::aes_cbc, AuthId::hmac_sha256, 192};
    CHECK(made->suite(made->suite(aes).value()) == aes);
}

TEST_CASE("a key of another length than the suite's is refused and leaves the block zero") {
    const auto made = book();
    alignas(64) std::byte block[key_block_octets]{};
    const auto expand = [&](const Suite& suite, std::size_t cipher_octets, std::size_t auth_octets) {
        const Octets cipher(cipher_octets), auth(auth_octets);
        return made->expand(made->suite(suite).value(), cipher, auth, block).error().code;
    };
    CHECK(expand({CipherId::aes_cbc, AuthId::hmac_sha1, 128}, 24, 20) == Errc::bad_key_length);
    CHECK(expand({CipherId::aes_cbc, AuthId::hmac_sha1, 128}, 16, 16) == Errc::bad_key_length);
    CHECK(expand({CipherId::aes_gcm_16, AuthId::null, 128}, 16, 0) == Errc::bad_key_length);
    CHECK(expand({CipherId::aes_gcm_16, AuthId::null, 128}, 20, 16) == Errc::bad_key_length);
    CHECK(expand({CipherId::blowfish_cbc, AuthId::null, 128}, 57, 0) == Errc::bad_key_length);
    CHECK(std::ranges::all_of(block, [](std::byte b) { return b == std::byte{0}; }));
}

TEST_CASE("erase() leaves nothing of a key in its block") {
    const auto made = book(GENERATE("", "openssl"));
    std::mt19937 random{23};
    for (const Suite& suite : suites_of(*made)) {
        CAPTURE(info(suite.cipher).name, info(suite.auth).name);
        alignas(64) std::byte block[key_block_octets]{};
        const SuiteIndex index = made->suite(suite).value();
        REQUIRE(made->expand(index, random_octets(random, suite.cipher_key_bits / 8u + info(suite.cipher).salt_octets),
                             random_octets(random, info(suite.auth).key_bits.low / 8u), block));
        const auto zero = [](std::byte b) { return b == std::byte{0}; };
        CHECK_FALSE(std::ranges::all_of(block, zero));
        made->erase(index, block);
        CHECK(std::ranges::all_of(block, zero));
    }
}

TEST_CASE("each suite has exactly one chosen kernel, proven, and the figures it was chosen by") {
    const auto made = CryptoBook::make({.time_kernels = true, .only = {}});
    REQUIRE(made);
    std::map<std::string, int> chosen;
    bool gcm_timed = false;
    for (const KernelChoice& row : (*made)->choices()) {
        CAPTURE(row.suite, row.kernel, row.note);
        chosen[row.suite] += row.chosen;
        CHECK((row.proven || !row.chosen));
        CHECK(row.proven == row.note.empty());
        if (row.suite == "aes-gcm-16 128" && row.proven) {
            CHECK(row.cycles_64 > 0);
            CHECK(row.cycles_1420 > row.cycles_64);
            gcm_timed = true;
        }
    }
    CHECK(gcm_timed);
    CHECK(chosen.size() == 16);  // what RFC 8221 wants: aes-gcm-16, chacha20-poly1305, aes-cbc or null with SHA
    for (const auto& [suite, count] : chosen) CHECK(count == 1);
}

TEST_CASE("asking for kernels that do not exist is an error, and asking for some leaves other suites out") {
    CHECK(CryptoBook::make({.time_kernels = false, .only = "abacus"}).error().code == Errc::not_found);
    const auto direct = book("direct");
    CHECK(direct->suite({CipherId::aes_gcm_16, AuthId::null, 128}));
    CHECK(direct->suite({CipherId::aes_cbc, AuthId::hmac_sha1, 128}).error().code == Errc::unsupported);
}

TEST_CASE("fresh IVs never repeat, across refills and engines") {
    const auto made = book("sse direct");
    const auto first = made->make_engine(), second = made->make_engine();
    std::set<std::array<std::byte, 8>> seen;
    const auto draw = [&](CryptoEngine& engine, std::size_t octets) {
        const auto iv = engine.fresh_iv(octets);
        REQUIRE(iv.size() == octets);
        std::array<std::byte, 8> start;
        std::copy_n(iv.begin(), 8, start.begin());
        CHECK(seen.insert(start).second);
    };
    for (int i = 0; i < 20'000; ++i) {
        draw(*first, 8);
        draw(*first, 16);
        draw(*second, 32);
    }
}

TEST_CASE("outbound text that a cipher cannot take never leaves in clear") {
    const auto made = book(GENERATE("", "burst", "openssl"));
    const auto engine = made->make_engine();
    std::mt19937 random{29};
    for (const Suite& suite : suites_of(*made)) {
        if (text_unit(suite) == 1) continue;
        CAPTURE(info(suite.cipher).name, info(suite.auth).name);
        const auto key = random_key(random, *made, suite);
        Packet unpadded = packet(random, suite, text_unit(suite) + 1);
        CryptoJob job = unpadded.job(*key);
        engine->seal({&job, 1});
        const auto* const text = job.head + 8 + unpadded.iv_octets;
        CHECK(std::all_of(text, text + unpadded.text_octets, [](std::byte b) { return b == std::byte{0}; }));
    }
}

TEST_CASE("an ICV may stand inside what it covers, and the octets behind the text come back (RFC 4302 3.3.3)") {
    const auto made = book(GENERATE(from_range(kernel_names())));
    const bool esn = GENERATE(false, true);
    const auto engine = made->make_engine();
    std::mt19937 random{31};
    for (const AuthInfo& auth : auths()) {
        const Suite suite{CipherId::null, auth.id, 0};
        if (!made->suite(suite)) continue;
        CAPTURE(auth.name, esn);
        const auto key = random_key(random, *made, suite);
        Packet covered{.octets = random_octets(random, 8 + 92 + auth.icv_octets),
                       .iv_octets = 0,
                       .text_octets = 92,
                       .sequence_high = 0x01020304,
                       .esn = esn};
        constexpr std::size_t icv_at = 32, tail_octets = 4;
        std::fill_n(covered.octets.begin() + icv_at, auth.icv_octets, std::byte{0});
        const Octets reference = sealed_by_reference(covered, suite, *key);
        covered.octets.resize(100 + tail_octets);
        Octets expected = covered.octets;
        std::copy(reference.begin() + 100, reference.end(), expected.begin() + icv_at);

        CryptoJob job = covered.job(*key);
        job.icv = covered.octets.data() + icv_at;
        engine->seal({&job, 1});
        CHECK(covered.octets == expected);

        Octets received(expected.begin() + icv_at, expected.begin() + icv_at + auth.icv_octets);
        std::fill_n(covered.octets.begin() + icv_at, auth.icv_octets, std::byte{0});
        const Octets zeroed = covered.octets;
        job.icv = received.data();
        engine->open({&job, 1});
        CHECK(job.authentic);
        CHECK(covered.octets == zeroed);
        received.back() ^= std::byte{1};
        engine->open({&job, 1});
        CHECK_FALSE(job.authentic);
    }
}
