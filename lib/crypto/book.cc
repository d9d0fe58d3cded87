// The CryptoBook: every suite of the registry, its candidates, their proofs and times, and the choice, which waits
// until the suite is wanted. Then the worker's engine over what was chosen.

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
    if (suite.cipher != CipherId::null && info(suite.auth).ah_old)
        return fail(Errc::unsupported, std::string{info(suite.auth).name} + " goes with ah-old alone (RFC 1826)");
    return {};
}

std::vector<Suite> all_suites() {
    std::vector<Suite> out;
    for (const CipherInfo& cipher : ciphers())
        for (const AuthInfo& auth : auths()) {
            if (!offered({cipher.id, auth.id, 0})) continue;
            const KeyBits lengths = cipher.key_bits;
            for (int bits = lengths.low; bits <= lengths.high; bits += lengths.step) {
                const int own_bits = any_key_length(cipher.id) ? 0 : bits - cipher.salt_octets * 8;
                out.push_back({cipher.id, auth.id, static_cast<std::uint16_t>(own_bits)});
                if (any_key_length(cipher.id) || lengths.step == 0) break;
            }
        }
    return out;
}

bool is_wanted(const Suite& suite) {
    return info(suite.cipher).standing == Standing::wanted &&
           (info(suite.cipher).aead() || info(suite.auth).standing == Standing::wanted);
}

bool same_family(const Suite& a, const Suite& b) {
    const auto slow = [](const Suite& s) { return info(s.cipher).legacy(); };
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
    explicit Book(const Options& options) : options_(options) {}
    /// Lists the suites and settles those that are wanted at start.
    Result<void> fill();
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

private:
    struct Row {
        Suite suite;
        bool settled = false;
        Result<void> outcome{};
        std::unique_ptr<Kernel> kernel;  // set before any key of the suite is, and never again
    };
    Result<void> settle(Row& row) const;
    Result<void> choose(Row& row) const;
    std::vector<Candidate> try_all(const Suite& suite) const;
    std::size_t pick(const Suite& suite, std::span<Candidate> tried) const;
    bool is_called(const Kernel& kernel) const { return kernel.name().find(options_.only) != std::string::npos; }

    Options options_;
    const std::unique_ptr<Workbench> bench_ = std::make_unique<Workbench>();
    mutable std::vector<Row> rows_;  // by SuiteIndex; never moved once filled, since workers read it
    mutable std::vector<KernelChoice> choices_;
};

Result<void> Book::fill() {
    for (const Suite& suite : all_suites()) rows_.push_back({.suite = suite, .kernel = {}});
    assert(rows_.size() <= 256);  // SuiteIndex is an octet
    if (!options_.only.empty() && std::ranges::none_of(rows_, [this](const Row& row) {
            return std::ranges::any_of(candidates(row.suite),
                                       [this](const auto& kernel) { return is_called(*kernel); });
        }))
        return fail(Errc::not_found, "no kernel is called '" + options_.only + "'");
    if (!options_.time_kernels) return {};
    for (Row& row : rows_)
        if (is_wanted(row.suite))
            if (auto done = settle(row); !done && done.error().code == Errc::internal) return done;
    return {};
}

Result<void> Book::settle(Row& row) const {
    if (!std::exchange(row.settled, true)) row.outcome = choose(row);
    return row.outcome;
}

std::vector<Candidate> Book::try_all(const Suite& suite) const {
    std::vector<Candidate> tried;
    for (auto& kernel : candidates(suite)) {
        if (!is_called(*kernel)) continue;
        auto proof = prove(*kernel, suite, *bench_);
        const bool enough = proof && !options_.time_kernels;
        tried.push_back({std::move(kernel), std::move(proof), {}});
        if (enough) break;
    }
    return tried;
}

Result<void> Book::choose(Row& row) const {
    auto tried = try_all(row.suite);
    if (tried.empty() && !options_.only.empty())
        return fail(Errc::unsupported, "the kernels in use do not offer " + name_of(row.suite));
    if (std::ranges::none_of(tried, [](const Candidate& c) { return c.proof.has_value(); }))
        return fail(Errc::internal,
                    "no kernel does " + name_of(row.suite) + " right; is OpenSSL's legacy provider installed?");
    const std::size_t chosen = pick(row.suite, tried);
    for (std::size_t i = 0; i < tried.size(); ++i) {
        const Candidate& c = tried[i];
        choices_.push_back({.suite = name_of(row.suite),
                            .kernel = c.kernel->name(),
                            .proven = c.proof.has_value(),
                            .chosen = i == chosen,
                            .note = c.proof ? "" : c.proof.error().message,
                            .cycles_64 = c.speed.seal_64,
                            .cycles_1420 = c.speed.seal_1420});
    }
    row.kernel = std::move(tried[chosen].kernel);
    return {};
}

/// Suites that differ in key length or in a slow cipher alone share what was timed for the first of them: timing each
/// would make every start wait.
std::size_t Book::pick(const Suite& suite, std::span<Candidate> tried) const {
    const auto first_proven = std::ranges::find_if(tried, [](const Candidate& c) { return c.proof.has_value(); });
    if (!options_.time_kernels) return static_cast<std::size_t>(first_proven - tried.begin());
    for (const Row& row : rows_) {
        if (!row.kernel || !same_family(row.suite, suite)) continue;
        const auto same = std::ranges::find_if(
            tried, [&](const Candidate& c) { return c.proof && c.kernel->name() == row.kernel->name(); });
        if (same != tried.end()) return static_cast<std::size_t>(same - tried.begin());
    }
    for (Candidate& c : tried)
        if (c.proof) c.speed = measure(*c.kernel, suite, *bench_);
    return fastest(tried);
}

Result<SuiteIndex> Book::suite(const Suite& wanted) const {
    TORII_CHECK(offered(wanted));
    TORII_CHECK(check_key(wanted.cipher, wanted.cipher_key_bits + info(wanted.cipher).salt_octets * 8u));
    Suite named = wanted;
    if (any_key_length(wanted.cipher)) named.cipher_key_bits = 0;
    const auto row = std::ranges::find(rows_, named, &Row::suite);
    assert(row != rows_.end());
    TORII_CHECK(settle(*row));
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
    explicit Engine(const Book& book) : book_(book), bench_(std::make_unique<Workbench>()) {}
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
    auto book = std::make_unique<Book>(options);
    TORII_CHECK(book->fill());
    return book;
}

}  // namespace torii
