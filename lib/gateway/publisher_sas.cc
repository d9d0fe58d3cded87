// The publisher's SA blocks: what workers hold of each SA, from the moment it is built until nobody can see it any
// more. Control thread.
#include <time.h>

#include <algorithm>

#include "gateway/publisher.h"
#include "gateway/tunnel_rules.h"
#include "ip/ip.h"
#include "ipcomp/ipcomp.h"

namespace torii {

namespace {

/// Where a counter-mode SA's IVs start: nanoseconds since 1970. A restart with the same manual key starts later than
/// any number of packets sent before could have counted, as long as the clock does not go back.
std::uint64_t iv_start() {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t limit(std::uint64_t setting) { return setting == 0 ? unlimited : setting; }

std::uint8_t icv_octets(const control::SaSpec& spec) {
    const CipherInfo& cipher = info(spec.cipher);
    return cipher.aead() ? cipher.icv_octets : info(spec.auth).icv_octets;
}

bool has_keys(const control::SaSpec& spec) { return spec.id.protocol != IpsecProtocol::ipcomp; }

/// Whether packets carry the SA's SPI; DEFLATE's own CPI is every such SA's (RFC 3173 3.3).
bool is_on_the_wire(const control::SaSpec& spec) { return spec.id.protocol != IpsecProtocol::ipcomp || spec.raw_cpi; }

/// Whether the SA ends by what goes through it.
bool counts_to_limits(const control::SaSpec& spec) {
    return (spec.hard.octets | spec.hard.packets | spec.soft.octets | spec.soft.packets) != 0;
}

/// None without integrity (RFC 4303 3.4.3): anybody could move a window whose sequence numbers nothing protects.
std::uint32_t window_of(const control::SaSpec& spec) {
    if (spec.replay_octets == 0 || icv_octets(spec) == 0) return 0;
    return std::clamp(spec.replay_octets * 8, smallest_replay_window, largest_replay_window);
}

std::uint8_t alignment_mask(const control::SaSpec& spec) {
    return static_cast<std::uint8_t>(std::max<unsigned>(info(spec.cipher).block_octets, 4) - 1);
}

std::uint8_t form_of(const control::SaSpec& spec) { return spec.udp ? form_in_udp : form_bare; }

OutboundPath path_of(const control::SaSpec& spec) {
    OutboundPath path;
    const auto protocol = static_cast<IpProtocol>(spec.id.protocol);
    path.outer = spec.id.destination.is_v4()
                     ? outer_header(spec.id.source.v4_number(), spec.id.destination.v4_number(), protocol)
                     : outer_header(spec.id.source, spec.id.destination, protocol);
    if (spec.udp) path.udp = {spec.udp->source_port, spec.udp->destination_port};
    return path;
}

/// Where workers may find the SA: at one address, or for a while at two.
std::vector<Address> places_of(const InboundSa& sa) {
    const MovedEnds* const moved = sa.moved.load(std::memory_order_relaxed);
    if (moved == nullptr) return {sa.destination};
    std::vector<Address> out{moved->now.destination};
    if (moved->before && moved->before->destination != out[0]) out.push_back(moved->before->destination);
    return out;
}

/// How long the SA's headers are. ESP and AH in their old forms have no sequence number; the 32-bit IV of the former
/// stands in its place, and is used as one by the suite that derives IVs (RFC 1829).
template <class Sa>
void shape_headers(const control::SaSpec& spec, Sa& sa) {
    const unsigned iv = info(spec.cipher).iv_octets;
    const unsigned header = spec.id.protocol == IpsecProtocol::ah ? sizeof(AhHeader) : sizeof(EspHeader);
    constexpr unsigned sequence_number = 4, short_iv = 4;
    sa.header_octets = static_cast<std::uint8_t>(spec.old ? header - sequence_number : header);
    sa.iv_octets = static_cast<std::uint8_t>(spec.old && spec.cipher == CipherId::des_deriv ? short_iv : iv);
    sa.engine_octets = static_cast<std::uint8_t>(sizeof(EspHeader) + iv);
}

}  // namespace

Database::Builder Publisher::builder() {
    return {.build = [this](SaEntry& entry) { return build(entry); },
            .discard = [this](SaEntry& entry) { release(entry); },
            .may_move = [this](const SaEntry& entry, const control::MoveSa& move) { return may_move(entry, move); },
            .admit = [this](Policy& policy) { return admit(policy); },
            .dismiss = [this](const Policy& policy) { dismiss(policy); },
            .is_port = [this](const std::string& port) { return surroundings_.port_named(port).has_value(); }};
}

/// An SA toward one of our own addresses is inbound; every other one is outbound, and so is one between two of ours.
Result<void> Publisher::build(SaEntry& entry) {
    const control::SaSpec& spec = entry.spec;
    TORII_TRY(const SuiteIndex suite, suite_of(crypto_, spec));
    const bool to_us = surroundings_.is_own(spec.id.destination);
    if (to_us && spec.udp && spec.udp->destination_port != nat_traversal_port)
        return fail(Errc::unsupported, "ESP in UDP comes in at port 4500 here: write [4500] behind the destination");
    entry.worker = (to_us ? next_worker_in_ : next_worker_out_)++ % settings_.workers;
    if (to_us) entry.inbound = inbound_.take();
    if (!to_us || surroundings_.is_own(spec.id.source)) entry.outbound = outbound_.take();
    Result<void> built = {};
    if (to_us ? entry.inbound == nullptr : entry.outbound == nullptr)
        built = fail(Errc::no_room, "the gateway holds at most " + std::to_string(most_sas) + " SAs each way");
    if (built && entry.inbound) {
        if (const std::uint32_t window = window_of(spec); window > 64)
            entry.replay_words = std::make_unique<std::uint64_t[]>(replay_words(window));
        fill(entry, *entry.inbound);
        if (has_keys(spec))
            built = crypto_.expand(suite, spec.cipher_key.octets(), spec.auth_key.octets(), entry.inbound->key);
    }
    if (built && entry.outbound) {
        fill(entry, *entry.outbound);
        if (has_keys(spec))
            built = crypto_.expand(suite, spec.cipher_key.octets(), spec.auth_key.octets(), entry.outbound->key);
    }
    if (!built) release(entry);
    obey_settings(entry);
    return built;
}

Result<SuiteIndex> Publisher::suite_of(const CryptoBook& crypto, const control::SaSpec& spec) {
    if (!has_keys(spec)) return SuiteIndex{};
    const std::size_t bits = spec.cipher_key.bits() - info(spec.cipher).salt_octets * 8u;
    return crypto.suite({spec.cipher, spec.auth, static_cast<std::uint16_t>(bits)});
}

void Publisher::fill(const SaEntry& entry, InboundSa& sa) const {
    const control::SaSpec& spec = entry.spec;
    sa.replay = ReplayWindow{window_of(spec), entry.replay_words.get()};
    if (window_of(spec) == 0) sa.replay = ReplayWindow{};
    sa.spi = is_on_the_wire(spec) ? static_cast<std::uint32_t>(spec.id.spi) : spi_of_everybody;
    sa.suite = *suite_of(crypto_, spec);
    sa.protocol = spec.id.protocol;
    shape_headers(spec, sa);
    sa.has_sequence = !spec.old;
    sa.icv_octets = icv_octets(spec);
    sa.alignment_mask = static_cast<std::uint8_t>(std::max<unsigned>(info(spec.cipher).block_octets, 1) - 1);
    sa.owner = static_cast<std::uint8_t>(entry.worker);
    // By its ends alone nobody can tell a peer's tunnel from his transport mode.
    sa.mode = is_on_the_wire(spec) ? spec.mode : Mode::any;
    sa.extended_sequence = spec.extended_sequence;
    sa.forms.store(form_of(spec), std::memory_order_relaxed);
    sa.ordered_padding = spec.padding == control::Padding::sequential && !spec.old;  // RFC 1829 asks for none
    if (spec.id.destination.is_v4()) std::memcpy(&sa.destination_ipv4, spec.id.destination.raw().data(), 4);
    sa.destination = spec.id.destination;
    sa.source = spec.id.source;
    sa.serial = entry.serial;
}

void Publisher::fill(const SaEntry& entry, OutboundSa& sa) const {
    const control::SaSpec& spec = entry.spec;
    const CipherInfo& cipher = info(spec.cipher);
    sa.next_sequence.set(1);
    const bool may_wrap = spec.cyclic_sequence && spec.replay_octets == 0 && !cipher.counter_mode;
    const bool unnumbered = spec.id.protocol == IpsecProtocol::ipcomp || spec.old;
    sa.last_sequence = spec.extended_sequence || may_wrap || unnumbered ? unlimited - 1 : 0xffffffff;
    sa.iv_start = iv_start();
    sa.spi = static_cast<std::uint32_t>(spec.id.spi);
    sa.owner = static_cast<std::uint8_t>(entry.worker);
    sa.suite = *suite_of(crypto_, spec);
    sa.protocol = spec.id.protocol;
    sa.cpi = spec.raw_cpi ? static_cast<std::uint16_t>(spec.id.spi) : static_cast<std::uint16_t>(Cpi::deflate);
    sa.mode = spec.mode;
    shape_headers(spec, sa);
    sa.icv_octets = icv_octets(spec);
    sa.alignment_mask = alignment_mask(spec);
    sa.counter_iv = cipher.counter_mode;
    sa.extended_sequence = spec.extended_sequence;
    sa.padding = spec.padding;
    sa.first_fragments_alone = spec.first_fragments_alone;
    sa.tfc_octets = spec.tfc_octets;
    sa.serial = entry.serial;
    sa.family = spec.id.destination.family();
    sa.first_path = path_of(spec);
}

/// What settings make of the SA's headers; workers may be using it.
void Publisher::obey_settings(SaEntry& entry) {
    const control::Settings settings = control::with(settings_.live, entry.spec.own);
    const std::uint8_t authenticated = authenticated_class(settings);
    if (entry.inbound) {
        entry.inbound->ecn_believed.store(believed_ecn(settings), std::memory_order_relaxed);
        entry.inbound->class_authenticated.store(authenticated, std::memory_order_relaxed);
    }
    if (!entry.outbound) return;
    entry.outbound->class_authenticated.store(authenticated, std::memory_order_relaxed);
    const auto before = entry.tunnel_header;
    if (!entry.spec.own.empty())
        entry.tunnel_header = std::make_shared<const TunnelHeader>(tunnel_header(settings, settings_.dscp_map));
    const TunnelHeader* const header = entry.tunnel_header ? entry.tunnel_header.get() : tunnel_header_.get();
    entry.outbound->tunnel.store(header, std::memory_order_release);
    if (before) retired_->add([before] {});
}

/// For blocks nobody sees: never published, or past their grace period.
void Publisher::release(SaEntry& entry) {
    const auto suite = suite_of(crypto_, entry.spec);
    const bool keyed = has_keys(entry.spec);
    if (entry.inbound) {
        if (keyed) crypto_.erase(*suite, entry.inbound->key);
        delete entry.inbound->moved.load(std::memory_order_relaxed);
        inbound_.give_back(std::exchange(entry.inbound, nullptr));
    }
    if (entry.outbound) {
        if (keyed) crypto_.erase(*suite, entry.outbound->key);
        delete entry.outbound->moved_path.load(std::memory_order_relaxed);
        outbound_.give_back(std::exchange(entry.outbound, nullptr));
    }
}

void Publisher::index(InboundSa& sa, const Address& destination) {
    auto* const now = const_cast<SpiIndex*>(tables_.sad.load());  // the one writer
    if (now->insert(sa, destination)) return;
    // A bucket is full: a larger table, with everything that is published, takes its place.
    for (std::size_t buckets = now->buckets() * 2;; buckets *= 2) {
        auto larger = std::make_unique<SpiIndex>(buckets * 2, settings_.seed);
        bool all = larger->insert(sa, destination);
        now->each([&](InboundSa& published) {
            for (const Address& place : places_of(published)) all = all && larger->insert(published, place);
        });
        if (!all) continue;
        Tables::publish<SpiIndex>(tables_.sad, std::move(larger), *retired_);
        return;
    }
}

/// Makes workers see the SA, or the new terms of one that they see.
void Publisher::show(SaEntry& entry) {
    const auto set_limits = [&](auto& sa) {
        sa.octets_soft.set(entry.soft_told ? unlimited : limit(entry.spec.soft.octets));
        sa.octets_hard.set(limit(entry.spec.hard.octets));
        sa.limits.soft.set(entry.soft_told ? unlimited : limit(entry.spec.soft.packets));
        sa.limits.hard.set(limit(entry.spec.hard.packets));
    };
    if (entry.outbound) {
        set_limits(*entry.outbound);
        entry.outbound->watch.set(entry.outbound->limits, entry.outbound->last_sequence);
    }
    if (entry.inbound) {
        set_limits(*entry.inbound);
        entry.inbound->watch.set(entry.inbound->limits, unlimited);
    }
    if (entry.inbound) entry.inbound->reqid.store(entry.spec.reqid, std::memory_order_relaxed);
    if (std::exchange(entry.shown, true)) return;
    show_path(entry);
    if (entry.inbound && is_on_the_wire(entry.spec)) index(*entry.inbound, entry.inbound->destination);
}

/// Packets with DEFLATE's own CPI find their SA by their ends, if it has limits to count to. Of several SAs between the
/// ends of `entry` it is the one that the peer would send by. Without limits nobody looks for it: no packet is handed
/// to its owner then, and overtaken by those of the same flow that did not compress.
void Publisher::show_by_ends(const SaEntry& entry, const Database& database) {
    if (entry.inbound == nullptr || is_on_the_wire(entry.spec)) return;
    const Endpoints ends{entry.spec.id.source, entry.spec.id.destination};
    SaPtr now;
    for (const SaPtr& sa : database.between(ends, IpsecProtocol::ipcomp)) {
        if (sa->inbound == nullptr || is_on_the_wire(sa->spec)) continue;
        now = sa;
        if (settings_.live.prefer_old_sa) break;
    }
    if (now && !counts_to_limits(now->spec)) now = nullptr;
    const SaPtr before = std::exchange(by_ends_[ends], now);
    if (before != now && now) index(*now->inbound, now->inbound->destination);
    if (before != now && before)
        const_cast<SpiIndex*>(tables_.sad.load())->remove(*before->inbound, before->inbound->destination);
    if (!now) by_ends_.erase(ends);
}

void Publisher::hide(SaEntry& entry) {
    if (!entry.inbound || !entry.shown) return;
    for (const Address& place : places_of(*entry.inbound))
        const_cast<SpiIndex*>(tables_.sad.load())->remove(*entry.inbound, place);
}

// ---- SAs that move

/// What comes in goes on coming in, and what goes out goes out; and the headers keep their length.
Result<void> Publisher::may_move(const SaEntry& entry, const control::MoveSa& move) const {
    const control::SaId& id = entry.spec.id;
    if (move.destination.family() != id.destination.family())
        return fail(Errc::unsupported, "an SA moves between addresses of one family");
    if (entry.state == control::SaState::larval) return fail(Errc::bad_value, "an SA without keys is nowhere yet");
    if (!is_on_the_wire(entry.spec))
        return fail(Errc::unsupported, "an IPComp SA with DEFLATE's own CPI is found by its ends, and stays there");
    if (move.udp && id.protocol != IpsecProtocol::esp) return fail(Errc::bad_value, "UDP carries ESP alone (RFC 3948)");
    const bool to_us = surroundings_.is_own(move.destination);
    const bool from_us = !to_us || surroundings_.is_own(move.source);  // as in build()
    if (to_us != (entry.inbound != nullptr) || from_us != (entry.outbound != nullptr))
        return fail(Errc::bad_value,
                    "an SA that comes in moves to an address of ours, and one that goes out to another");
    if (to_us && move.udp && move.udp->destination_port != nat_traversal_port)
        return fail(Errc::unsupported, "ESP in UDP comes in at port 4500 here");
    return {};
}

/// The SA is where its spec says now, and was between `before`. Workers take one value or the other, each whole; what
/// comes in is taken at both ends until settle().
void Publisher::move(SaEntry& entry, const Endpoints& before) {
    const Endpoints now{entry.spec.id.source, entry.spec.id.destination};
    if (entry.outbound) {
        const auto* const was =
            entry.outbound->moved_path.exchange(new OutboundPath{path_of(entry.spec)}, std::memory_order_acq_rel);
        entry.outbound->has_moved.store(true, std::memory_order_release);
        if (was != nullptr) retired_->add(std::unique_ptr<const OutboundPath>{was});
        entry.path_mtu = 0;  // of another path
        show_path(entry);
    }
    if (!entry.inbound) return;
    entry.inbound->forms.fetch_or(form_of(entry.spec), std::memory_order_relaxed);
    set_ends(*entry.inbound, {now, before});
    if (is_on_the_wire(entry.spec)) index(*entry.inbound, now.destination);
}

void Publisher::settle(SaEntry& entry) {
    entry.moved_at = {};
    if (!entry.inbound) return;
    entry.inbound->forms.store(form_of(entry.spec), std::memory_order_relaxed);
    set_ends(*entry.inbound, {{entry.spec.id.source, entry.spec.id.destination}, std::nullopt});
}

/// Where nobody looks for the SA any more it is found no more.
void Publisher::set_ends(InboundSa& sa, const MovedEnds& ends) {
    const auto places = places_of(sa);
    const auto* const was = sa.moved.exchange(new MovedEnds{ends}, std::memory_order_acq_rel);
    if (was != nullptr) retired_->add(std::unique_ptr<const MovedEnds>{was});
    const auto left = places_of(sa);
    for (const Address& place : places)
        if (std::ranges::find(left, place) == left.end()) const_cast<SpiIndex*>(tables_.sad.load())->remove(sa, place);
}

}  // namespace torii
