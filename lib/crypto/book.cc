// The CryptoBook: every suite of the registry, its candidates, their proofs and times, and the choice. Then the
// worker's engine over what was chosen.

#include <algorithm>
#include <limits>

#include "base/secret_bytes.h"
#include "crypto/engine.h"
#include "crypto/iv_source.h"
#include "crypto/kernel.h"
#include "crypto/proof.h"

namespace torii {
namespace {

/// A cipher that takes many key lengths is one suite: its kernels do not care.
bool any_key_length(CipherId cipher) { return info(cipher).key_bits.step == 8; }

std::string name_of(const Suite& suite) {
    std::string out{info(suite.cipher).name};
    if (suite.cipher_key_bits != 0 && info(suite.cipher).key_bits.step != 0)
        out += " " + std::to_string(suite.cipher_key_bits);
    if (!info(suite.cipher).aead()) out.append(" + ").append(info(suite.auth).name);
    return out;
}

/// Why `suite` is not offered, or nothing.
Result<void> offered(const Suite& suite) {
    if (info(suite.cipher).aead() && suite.auth != AuthId::null)
        return fail(Errc::unsupported, std::string{info(suite.cipher).name} + " authenticates by itself and takes no " +
                                           std::string{info(suite.auth).name});
    if (suite.cipher == CipherId::null && suite.auth == AuthId::null)
        return fail(Errc::unsupported, "ESP with neither cipher nor authenticator protects nothing (RFC 4303 3.2)");
    return {};
}

std::vector<Suite> all_suites() {
    std::vector<Suite> out;
    for (const CipherInfo& cipher : ciphers())
        for (const AuthInfo& auth : auths()) {
            const int salt_bits = cipher.salt_octets * 8;
            if (!offered({cipher.id, auth.id, 0})) continue;
            if (any_key_length(cipher.id) || cipher.key_bits.step == 0) {
                const int bits = any_key_length(cipher.id) ? 0 : cipher.key_bits.low;
                out.push_back({cipher.id, auth.id, static_cast<std::uint16_t>(bits)});
                continue;
            }
            for (int bits = cipher.key_bits.low; bits <= cipher.key_bits.high; bits += cipher.key_bits.step)
                out.push_back({cipher.id, auth.id, static_cast<std::uint16_t>(bits - salt_bits)});
        }
    return out;
}

bool same_family(const Suite& a, const Suite& b) {
    const auto slow = [](const Suite& s) { return info(s.cipher).legacy; };
    return a.auth == b.auth && (a.cipher == b.cipher || (slow(a) && slow(b)));
}

struct Candidate {
    std::unique_ptr<Kernel> kernel;
    Result<void> proof;
    Speed speed;
};

/// The sum, over both directions and both lengths, of a candidate's cycles as multiples of the best candidate's: short
/// and long packets weigh the same, whatever their absolute cost.
std::size_t fastest(std::span<const Candidate> candidates) {
    constexpr double Speed::*figures[]{&Speed::seal_64, &Speed::seal_1420, &Speed::open_64, &Speed::open_1420};
    constexpr double infinite = std::numeric_limits<double>::infinity();
    std::vector<double> score(candidates.size(), 0);
    for (const auto figure : figures) {
        double best = infinite;
        for (const auto& c : candidates)
            if (c.proof) best = std::min(best, c.speed.*figure);
        for (std::size_t i = 0; i < candidates.size(); ++i)
            score[i] += candidates[i].proof ? candidates[i].speed.*figure / best : infinite;
    }
    return static_cast<std::size_t>(std::ranges::min_element(score) - score.begin());
}

class Book final : public CryptoBook {
public:
    Result<void> fill(const Options& options);
    Result<SuiteIndex> suite(const Suite& wanted) const override;
    Suite suite(SuiteIndex index) const override { return rows_[static_cast<std::size_t>(index)].suite; }
    Result<void> expand(SuiteIndex suite, std::span<const std::byte> cipher_key, std::span<const std::byte> auth_key,
                        std::byte* block) const override;
    void erase(SuiteIndex suite, std::byte* block) const override {
        kernel(suite).release(block);
        wipe({block, key_block_octets});
    }
    std::unique_ptr<CryptoEngine> make_engine() const override;
    std::vector<KernelChoice> choices() const override { return choices_; }
    const Kernel& kernel(SuiteIndex index) const { return *rows_[static_cast<std::size_t>(index)].kernel; }

    void prepare(Workbench& bench) const {
        for (const Row& row : rows_) row.kernel->prepare(bench);
    }

private:
    struct Row {
        Suite suite;
        std::unique_ptr<Kernel> kernel;
    };
    Result<void> choose(const Suite& suite, const Options& options, Workbench& bench);
    std::size_t pick(const Suite& suite, std::span<Candidate> tried, const Options& options, Workbench& bench) const;

    std::vector<Row> rows_;  // by SuiteIndex
    std::vector<KernelChoice> choices_;
};

Result<void> Book::fill(const Options& options) {
    const auto bench = std::make_unique<Workbench>();
    for (const Suite& suite : all_suites()) TORII_CHECK(choose(suite, options, *bench));
    if (rows_.empty()) return fail(Errc::not_found, "no kernel is called '" + options.only + "'");
    return {};
}

Result<void> Book::choose(const Suite& suite, const Options& options, Workbench& bench) {
    std::vector<Candidate> tried;
    for (auto& kernel : candidates(suite)) {
        if (kernel->name().find(options.only) == std::string::npos) continue;
        kernel->prepare(bench);
        auto proof = prove(*kernel, suite, bench);
        const bool enough = proof && !options.time_kernels;
        tried.push_back({std::move(kernel), std::move(proof), {}});
        if (enough) break;
    }
    if (tried.empty() && !options.only.empty()) return {};
    if (std::ranges::none_of(tried, [](const Candidate& c) { return c.proof.has_value(); }))
        return fail(Errc::internal,
                    "no kernel does " + name_of(suite) + " right; is OpenSSL's legacy provider installed?");
    const std::size_t chosen = pick(suite, tried, options, bench);
    for (std::size_t i = 0; i < tried.size(); ++i) {
        const Candidate& c = tried[i];
        choices_.push_back({.suite = name_of(suite),
                            .kernel = c.kernel->name(),
                            .proven = c.proof.has_value(),
                            .chosen = i == chosen,
                            .note = c.proof ? "" : c.proof.error().message,
                            .cycles_64 = c.speed.seal_64,
                            .cycles_1420 = c.speed.seal_1420});
    }
    rows_.push_back({suite, std::move(tried[chosen].kernel)});
    return {};
}

/// Suites that differ in key length or in a slow cipher alone share what was timed for the first of them: timing each
/// would make every start wait.
std::size_t Book::pick(const Suite& suite, std::span<Candidate> tried, const Options& options, Workbench& bench) const {
    const auto first_proven = std::ranges::find_if(tried, [](const Candidate& c) { return c.proof.has_value(); });
    if (!options.time_kernels) return static_cast<std::size_t>(first_proven - tried.begin());
    for (const Row& row : rows_) {
        if (!same_family(row.suite, suite)) continue;
        const auto same = std::ranges::find_if(
            tried, [&](const Candidate& c) { return c.proof && c.kernel->name() == row.kernel->name(); });
        if (same != tried.end()) return static_cast<std::size_t>(same - tried.begin());
    }
    for (Candidate& c : tried)
        if (c.proof) c.speed = measure(*c.kernel, suite, bench);
    return fastest(tried);
}

Result<SuiteIndex> Book::suite(const Suite& wanted) const {
    TORII_CHECK(offered(wanted));
    TORII_CHECK(check_key(wanted.cipher, wanted.cipher_key_bits + info(wanted.cipher).salt_octets * 8u));
    Suite named = wanted;
    if (any_key_length(wanted.cipher)) named.cipher_key_bits = 0;
    const auto row = std::ranges::find(rows_, named, &Row::suite);
    if (row == rows_.end()) return fail(Errc::unsupported, "the kernels in use do not offer " + name_of(named));
    return static_cast<SuiteIndex>(row - rows_.begin());
}

Result<void> Book::expand(SuiteIndex index, std::span<const std::byte> cipher_key, std::span<const std::byte> auth_key,
                          std::byte* block) const {
    const Suite of = suite(index);
    TORII_CHECK(check_key(of.cipher, cipher_key.size() * 8));
    TORII_CHECK(check_key(of.auth, auth_key.size() * 8));
    const std::size_t bits = cipher_key.size() * 8 - info(of.cipher).salt_octets * 8u;
    if (!any_key_length(of.cipher) && bits != of.cipher_key_bits)
        return fail(Errc::bad_key_length, name_of(of) + " does not take a key of " + std::to_string(bits) + " bits");
    auto done = kernel(index).expand({cipher_key, auth_key}, block);
    if (!done) wipe({block, key_block_octets});
    return done;
}

class Engine final : public CryptoEngine {
public:
    explicit Engine(const Book& book) : book_(book), bench_(std::make_unique<Workbench>()) { book.prepare(*bench_); }
    void seal(std::span<CryptoJob> jobs) override {
        by_suite(jobs, [&](const Kernel& kernel, std::span<CryptoJob> group) { kernel.seal(*bench_, group); });
    }
    void open(std::span<CryptoJob> jobs) override {
        by_suite(jobs, [&](const Kernel& kernel, std::span<CryptoJob> group) { kernel.open(*bench_, group); });
    }
    std::span<const std::byte> fresh_iv(std::size_t octets) override { return ivs_.take(octets); }

private:
    template <class Work>
    void by_suite(std::span<CryptoJob> jobs, Work work) {
        assert(jobs.size() <= batch_jobs);
        if (jobs.empty()) return;
        const SuiteIndex first = jobs.front().suite;
        if (std::ranges::all_of(jobs, [first](const CryptoJob& job) { return job.suite == first; })) [[likely]]
            work(book_.kernel(first), jobs);
        else
            mixed(jobs, work);
    }
    /// Sorts a copy by suite (counting), works on each group, and brings the answers home.
    template <class Work>
    void mixed(std::span<CryptoJob> jobs, Work work) {
        std::array<std::uint16_t, 257> ends{};
        for (const CryptoJob& job : jobs) ++ends[static_cast<std::size_t>(job.suite) + 1];
        for (std::size_t i = 1; i < ends.size(); ++i) ends[i] = static_cast<std::uint16_t>(ends[i] + ends[i - 1]);
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            const std::uint16_t at = ends[static_cast<std::size_t>(jobs[i].suite)]++;
            sorted_[at] = jobs[i];
            home_[at] = static_cast<std::uint16_t>(i);
        }
        for (std::size_t from = 0; from < jobs.size();) {
            const SuiteIndex suite = sorted_[from].suite;
            const std::size_t to = ends[static_cast<std::size_t>(suite)];
            work(book_.kernel(suite), std::span{sorted_}.subspan(from, to - from));
            from = to;
        }
        for (std::size_t at = 0; at < jobs.size(); ++at) jobs[home_[at]].authentic = sorted_[at].authentic;
    }

    const Book& book_;
    std::unique_ptr<Workbench> bench_;
    IvSource ivs_;
    std::array<CryptoJob, batch_jobs> sorted_;
    std::array<std::uint16_t, batch_jobs> home_;
};

std::unique_ptr<CryptoEngine> Book::make_engine() const { return std::make_unique<Engine>(*this); }

}  // namespace

Result<std::unique_ptr<CryptoBook>> CryptoBook::make(const Options& options) {
    auto book = std::make_unique<Book>();
    TORII_CHECK(book->fill(options));
    return book;
}

}  // namespace torii
