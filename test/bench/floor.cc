#include "test/bench/floor.h"

#include <algorithm>
#include <cstring>

#include "ipcomp/deflate.h"
#include "sa/arena.h"
#include "sa/security_association.h"
#include "test/bench/lane.h"
#include "test/bench/stopwatch.h"

namespace torii::bench {

namespace {
constexpr std::size_t slot_octets = 1792;  // the largest packet; an odd number of lines spreads over the cache's sets
constexpr std::size_t stretch = 1024;      // packets between two looks at whether the system interrupted us

template <class T>
T or_give_up(Result<T> result) {
    if (!result) give_up(result.error().text());
    return std::move(*result);
}

/// Sealing or opening one layer's packets. Sealed ones are kept for all of `draws`.
class CryptoFloor : public Floor {
public:
    CryptoFloor(const CryptoBook& book, const Layer& layer, Direction direction, unsigned tunnels,
                const std::vector<Draw>& draws, std::vector<unsigned> payloads, unsigned burst);
    ~CryptoFloor() override;
    std::optional<double> window(std::size_t packets) override;

private:
    void make_keys(unsigned tunnels);
    void seal_all();
    /// A job for draw `i` whose packet is in a slot at `at`.
    CryptoJob job(std::size_t i, std::byte* at) const;

    const CryptoBook& book_;
    const Layer layer_;
    const SuiteIndex index_;
    const Direction direction_;
    const std::vector<Draw>& draws_;
    const std::vector<unsigned> payloads_;  // octets of what this layer protects, by draw
    const unsigned burst_;
    Arena<OutboundSa> arena_;  // keys stand as far apart as in a gateway
    std::vector<OutboundSa*> sas_;
    std::unique_ptr<CryptoEngine> engine_;
    std::vector<std::byte> sealed_;  // inbound: every packet's slot, one behind the other
    std::vector<std::byte> slots_;   // of one burst
    std::vector<CryptoJob> jobs_;
    std::size_t next_ = 0;
};

CryptoFloor::CryptoFloor(const CryptoBook& book, const Layer& layer, Direction direction, unsigned tunnels,
                         const std::vector<Draw>& draws, std::vector<unsigned> payloads, unsigned burst)
    : book_(book),
      layer_(layer),
      index_(or_give_up(book.suite({layer.cipher, layer.auth, layer.cipher_key_bits}))),
      direction_(direction),
      draws_(draws),
      payloads_(std::move(payloads)),
      burst_(burst),
      arena_(or_give_up(Arena<OutboundSa>::make(tunnels))),
      engine_(book.make_engine()),
      slots_(burst * slot_octets),
      jobs_(burst) {
    make_keys(tunnels);
    if (direction_ == Direction::inbound) seal_all();
}

CryptoFloor::~CryptoFloor() {
    for (OutboundSa* sa : sas_) book_.erase(index_, sa->key);
}

void CryptoFloor::make_keys(unsigned tunnels) {
    std::vector<std::byte> cipher_key(layer_.cipher_key_octets()), auth_key(layer_.auth_key_octets());
    for (unsigned i = 0; i < tunnels; ++i) {
        std::memcpy(cipher_key.empty() ? auth_key.data() : cipher_key.data(), &i, sizeof i);
        sas_.push_back(arena_.take());
        if (const auto done = book_.expand(index_, cipher_key, auth_key, sas_.back()->key); !done)
            give_up(done.error().text());
    }
}

void CryptoFloor::seal_all() {
    sealed_.resize(draws_.size() * slot_octets);
    for (std::size_t i = 0; i < draws_.size(); i += burst_) {
        for (std::size_t j = 0; j < burst_; ++j) jobs_[j] = job(i + j, sealed_.data() + (i + j) * slot_octets);
        engine_->seal(jobs_);
    }
}

CryptoJob CryptoFloor::job(std::size_t i, std::byte* at) const {
    CryptoJob job;
    job.key = sas_[draws_[i].tunnel]->key;
    job.head = at;
    job.text_octets = layer_.text_octets(payloads_[i]);
    job.icv = at + sizeof(EspHeader) + layer_.iv_octets() + job.text_octets;
    job.suite = index_;
    return job;
}

std::optional<double> CryptoFloor::window(std::size_t packets) {
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

/// zlib at the level the gateway uses, over the packets as they enter.
class DeflateFloor : public Floor {
public:
    DeflateFloor(Direction direction, const Frames& clear, unsigned burst);
    std::optional<double> window(std::size_t packets) override;

private:
    void once(std::size_t i);

    const Direction direction_;
    const Frames& clear_;
    const unsigned burst_;
    Deflate deflate_;
    std::vector<std::vector<std::byte>> packed_;  // inbound: every packet, compressed; empty when it does not compress
    std::size_t next_ = 0;
};

std::span<const std::byte> packet_in(std::span<const std::byte> frame) { return frame.subspan(sizeof(EthernetHeader)); }

DeflateFloor::DeflateFloor(Direction direction, const Frames& clear, unsigned burst)
    : direction_(direction), clear_(clear), burst_(burst) {
    if (direction == Direction::outbound) return;
    for (std::size_t i = 0; i < clear.size(); ++i) {
        const auto text = packet_in(clear[i]);
        const auto packed = deflate_.compress(text, text.size() - sizeof(IpCompHeader));
        packed_.emplace_back();
        if (packed) packed_.back().assign(packed->begin(), packed->end());
    }
}

void DeflateFloor::once(std::size_t i) {
    const auto text = packet_in(clear_[i]);
    if (direction_ == Direction::outbound)
        (void)deflate_.compress(text, text.size() - sizeof(IpCompHeader));
    else if (!packed_[i].empty() && deflate_.decompress(packed_[i], text.size()).octets.size() != text.size())
        give_up("the floor decompressed a packet to another length");
}

std::optional<double> DeflateFloor::window(std::size_t packets) {
    Stopwatch watch;
    for (std::size_t done = 0; done < packets;) {
        if (next_ == clear_.size()) next_ = 0;
        watch.start();
        for (std::size_t j = 0; j < burst_; ++j) once(next_ + j);
        watch.stop();
        next_ += burst_;
        if ((done += burst_) % stretch == 0) watch.end_stretch(stretch);
    }
    return watch.mean();
}

/// Several layers' floors, one after another.
class SumOfFloors : public Floor {
public:
    void add(std::unique_ptr<Floor> floor) { floors_.push_back(std::move(floor)); }
    std::optional<double> window(std::size_t packets) override {
        double sum = 0;
        for (const auto& floor : floors_) {
            const auto cycles = floor->window(packets);
            if (!cycles) return std::nullopt;
            sum += *cycles;
        }
        return sum;
    }

private:
    std::vector<std::unique_ptr<Floor>> floors_;
};

}  // namespace

std::unique_ptr<Floor> make_floor(const CryptoBook& book, const Work& work, Direction direction, const Setting& setting,
                                  const std::vector<Draw>& draws, const Frames& clear) {
    if (work.compresses()) return std::make_unique<DeflateFloor>(direction, clear, setting.burst);
    auto all = std::make_unique<SumOfFloors>();
    std::vector<unsigned> payloads;
    for (const Draw& packet : draws) payloads.push_back(packet.octets);
    for (const Layer& layer : work.layers()) {
        all->add(
            std::make_unique<CryptoFloor>(book, layer, direction, setting.tunnels, draws, payloads, setting.burst));
        for (unsigned& octets : payloads) octets = layer.protected_octets(octets);
    }
    return all;
}

}  // namespace torii::bench
