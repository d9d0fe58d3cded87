#include "test/bench/floor.h"

#include <algorithm>
#include <cstring>

#include "test/bench/lane.h"
#include "test/bench/stopwatch.h"

namespace torii::bench {

namespace {
constexpr std::size_t slot_octets =
    1728;                              // the largest ESP packet; an odd number of lines spreads over the cache's sets
constexpr std::size_t stretch = 1024;  // packets between two looks at whether the system interrupted us

template <class T>
T or_give_up(Result<T> result) {
    if (!result) give_up(result.error().text());
    return std::move(*result);
}
}  // namespace

Floor::Floor(const CryptoBook& book, const MeasuredSuite& suite, Direction direction, unsigned tunnels,
             std::vector<Draw> draws, unsigned burst)
    : book_(book),
      suite_(suite),
      index_(or_give_up(book.suite({suite.cipher, suite.auth, suite.cipher_key_bits}))),
      direction_(direction),
      draws_(std::move(draws)),
      burst_(burst),
      arena_(or_give_up(Arena<OutboundSa>::make(tunnels))),
      engine_(book.make_engine()),
      slots_(burst * slot_octets),
      jobs_(burst) {
    make_keys(tunnels);
    if (direction_ == Direction::inbound) seal_all();
}

Floor::~Floor() {
    for (OutboundSa* sa : sas_) book_.erase(index_, sa->key);
}

void Floor::make_keys(unsigned tunnels) {
    std::vector<std::byte> cipher_key(suite_.cipher_key_octets()), auth_key(suite_.auth_key_octets());
    for (unsigned i = 0; i < tunnels; ++i) {
        std::memcpy(cipher_key.data(), &i, sizeof i);
        sas_.push_back(arena_.take());
        if (const auto done = book_.expand(index_, cipher_key, auth_key, sas_.back()->key); !done)
            give_up(done.error().text());
    }
}

void Floor::seal_all() {
    sealed_.resize(draws_.size() * slot_octets);
    for (std::size_t i = 0; i < draws_.size(); i += burst_) {
        for (std::size_t j = 0; j < burst_; ++j) jobs_[j] = job(i + j, sealed_.data() + (i + j) * slot_octets);
        engine_->seal(jobs_);
    }
}

CryptoJob Floor::job(std::size_t i, std::byte* at) const {
    CryptoJob job;
    job.key = sas_[draws_[i].tunnel]->key;
    job.head = at;
    job.text_octets = suite_.text_octets(draws_[i].octets);
    job.icv = at + sizeof(EspHeader) + suite_.iv_octets() + job.text_octets;
    job.suite = index_;
    return job;
}

std::optional<double> Floor::window(std::size_t packets) {
    Stopwatch watch;
    for (std::size_t done = 0; done < packets;) {
        if (next_ == draws_.size()) next_ = 0;
        if (!sealed_.empty()) std::memcpy(slots_.data(), sealed_.data() + next_ * slot_octets, slots_.size());
        for (std::size_t j = 0; j < burst_; ++j) jobs_[j] = job(next_ + j, slots_.data() + j * slot_octets);
        watch.start();
        if (direction_ == Direction::outbound)
            engine_->seal(jobs_);
        else
            engine_->open(jobs_);
        watch.stop();
        if (direction_ == Direction::inbound && !std::ranges::all_of(jobs_, &CryptoJob::authentic))
            give_up("the floor opened a packet that is not authentic");
        next_ += burst_;
        if ((done += burst_) % stretch == 0) watch.end_stretch(stretch);
    }
    return watch.mean();
}

}  // namespace torii::bench
