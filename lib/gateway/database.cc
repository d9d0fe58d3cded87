#include "gateway/database.h"

#include <sys/random.h>

#include <algorithm>
#include <ranges>
#include <set>

namespace torii {

using control::Outcome;
using control::SaId;

namespace {

std::string described(const SaId& id) {
    return id.source.text() + " " + id.destination.text() + " spi " +
           std::to_string(static_cast<std::uint32_t>(id.spi));
}

Result<void> check(const SaId& id) {
    if (id.source.family() != id.destination.family())
        return fail(Errc::bad_value, "source and destination are of different families");
    return {};
}

Result<void> check_spi(const SaId& id) {
    const auto spi = static_cast<std::uint32_t>(id.spi);
    if (id.protocol == IpsecProtocol::ipcomp) {
        if (spi == 0) return fail(Errc::bad_value, "an IPComp SA needs a number other than 0");
    } else if (spi < 256) {
        return fail(Errc::bad_value, "an SPI below 256 is reserved (RFC 4303 2.1)");
    }
    return {};
}

/// Traffic flow confidentiality is a tunnel's: only there the length inside tells where the packet ends (RFC 4303 2.7).
Result<void> check_hiding(const control::SaSpec& spec) {
    if (spec.tfc_octets == 0 && spec.dummies_per_second == 0) return {};
    if (spec.id.protocol != IpsecProtocol::esp || spec.mode != Mode::tunnel || spec.old)
        return fail(Errc::bad_value, "-f tfc and -f dummy are for ESP in tunnel mode: -m tunnel");
    return {};
}

Result<void> check_own(const control::SaSpec& spec) {
    if (spec.own.empty() || spec.mode != Mode::transport) return {};
    return fail(Errc::bad_value,
                "-f " + spec.own.front().text() + " is of an outer header, and transport mode has none");
}

/// What ESP of RFC 1827 and AH of RFC 1826 cannot have.
Result<void> check_old(const control::SaSpec& spec) {
    const bool is_esp = spec.id.protocol == IpsecProtocol::esp;
    if (!spec.old) {
        if (!info(spec.auth).ah_old) return {};
        return fail(Errc::bad_value, std::string{info(spec.auth).name} + " goes with ah-old alone (RFC 1826)");
    }
    if (spec.id.protocol == IpsecProtocol::ipcomp) return fail(Errc::bad_value, "there is no old IPComp");
    if (spec.replay_octets != 0 || spec.extended_sequence)
        return fail(Errc::bad_value, "esp-old and ah-old have no sequence numbers: neither -r nor -f esn");
    const CipherInfo& cipher = info(spec.cipher);
    if (is_esp && (cipher.counter_mode || cipher.id == CipherId::null))
        return fail(Errc::bad_value, "esp-old takes a cipher in CBC mode (RFC 1829), not " + std::string{cipher.name});
    if (is_esp && spec.auth != AuthId::null) return fail(Errc::bad_value, "esp-old has no integrity (RFC 1827)");
    if (!is_esp && !info(spec.auth).ah_old)
        return fail(Errc::bad_value, "ah-old takes keyed-md5, keyed-sha1, hmac-md5 or hmac-sha1, not " +
                                         std::string{info(spec.auth).name});
    return {};
}

Result<void> check(const control::SaSpec& spec) {
    TORII_CHECK(check(spec.id));
    TORII_CHECK(check_spi(spec.id));
    TORII_CHECK(check_hiding(spec));
    TORII_CHECK(check_own(spec));
    TORII_CHECK(check_old(spec));
    if (spec.id.protocol == IpsecProtocol::ipcomp) {
        const auto cpi = static_cast<std::uint32_t>(spec.id.spi);
        if (spec.raw_cpi && (cpi < 256 || cpi > 0xffff))
            return fail(Errc::bad_value, "a CPI of its own lies between 256 and 65535 (RFC 3173 3.3)");
        return {};
    }
    if (spec.id.protocol == IpsecProtocol::ah && spec.auth == AuthId::null)
        return fail(Errc::bad_value, "ah without an authentication algorithm authenticates nothing");
    TORII_CHECK(check_key(spec.cipher, spec.cipher_key.bits()));
    TORII_CHECK(check_key(spec.auth, spec.auth_key.bits()));
    return {};
}

Result<void> check(const Policy& policy) {
    if (const std::string& tag = policy.selector.tag; !tag.empty()) {
        if (!is_tag_name(tag)) return fail(Errc::bad_value, "\"" + tag + "\" is no name of a tag");
        if (policy.selector != Selector{.tag = tag})
            return fail(Errc::bad_value, "a policy with a tag asks for nothing besides");
    }
    if (policy.action == PolicyAction::protect && policy.requests.empty())
        return fail(Errc::bad_value, "an ipsec policy without a request protects nothing");
    if (policy.requests.size() > max_requests)
        return fail(Errc::no_room, "at most " + std::to_string(max_requests) + " requests fit one policy");
    for (const Request& request : policy.requests) {
        if (request.mode == Mode::tunnel && !request.endpoints)
            return fail(Errc::bad_value, "tunnel mode needs both end addresses");
        if (request.endpoints && request.endpoints->source.family() != request.endpoints->destination.family())
            return fail(Errc::bad_value, "the two ends of an SA are of different families");
    }
    return {};
}

}  // namespace

namespace {

Level default_level(const Request& request, const control::Settings& s) {
    const bool tunnel = request.mode == Mode::tunnel;
    if (request.protocol == IpsecProtocol::ah) return tunnel ? s.ah_net_deflev : s.ah_trans_deflev;
    return tunnel ? s.esp_net_deflev : s.esp_trans_deflev;
}

SaTerms terms(const SaEntry& sa) { return {sa.spec.reqid, sa.spec.hard, sa.spec.soft, sa.state, sa.soft_told}; }

void set_terms(SaEntry& sa, const SaTerms& terms) {
    sa.spec.reqid = terms.reqid;
    sa.spec.hard = terms.hard;
    sa.spec.soft = terms.soft;
    sa.state = terms.state;
    sa.soft_told = terms.soft_told;
}

/// Whether `spec` describes the SA that `old` is, but for what may change while it lives.
bool is_same_sa(const SaEntry& old, const control::SaSpec& spec) {
    const control::SaSpec& was = old.spec;
    return old.state != control::SaState::larval && was.id == spec.id && was.mode == spec.mode &&
           was.raw_cpi == spec.raw_cpi && was.udp == spec.udp && was.replay_octets == spec.replay_octets &&
           was.cyclic_sequence == spec.cyclic_sequence && was.padding == spec.padding &&
           was.extended_sequence == spec.extended_sequence && was.old == spec.old && was.own == spec.own &&
           was.first_fragments_alone == spec.first_fragments_alone && was.tfc_octets == spec.tfc_octets &&
           was.dummies_per_second == spec.dummies_per_second && was.cipher == spec.cipher && was.auth == spec.auth &&
           was.cipher_key.same_as(spec.cipher_key) && was.auth_key.same_as(spec.auth_key);
}

}  // namespace

/// One transaction: each primitive change is written to the journal, from which a failure is undone.
struct Database::Run {
    Database& db;
    Journal& journal;
    const Moment& now;
    std::map<SaId, SaPtr> removed{};  // in this transaction, the last of each id

    // ---- primitives
    static std::set<EndsKey> ends_keys(const SaEntry& sa) {
        const Endpoints ends{sa.spec.id.source, sa.spec.id.destination};
        return {{ends, sa.spec.id.protocol, ReqId{}, sa.serial}, {ends, sa.spec.id.protocol, sa.spec.reqid, sa.serial}};
    }
    void insert(SaPtr sa) {
        db.by_id_[sa->spec.id] = sa;
        db.by_spi_[{sa->spec.id.destination, sa->spec.id.protocol, sa->spec.id.spi}] = sa;
        if (info(sa->spec.cipher).counter_mode) db.by_counter_key_[&sa->spec.cipher_key] = sa;
        for (const EndsKey& key : ends_keys(*sa)) db.by_ends_[key] = sa;
        db.by_serial_[sa->serial] = std::move(sa);
    }
    void erase(const SaPtr& sa) {
        db.by_id_.erase(sa->spec.id);
        db.by_spi_.erase({sa->spec.id.destination, sa->spec.id.protocol, sa->spec.id.spi});
        if (info(sa->spec.cipher).counter_mode) db.by_counter_key_.erase(&sa->spec.cipher_key);
        for (const EndsKey& key : ends_keys(*sa)) db.by_ends_.erase(key);
        db.by_serial_.erase(sa->serial);
    }
    /// Under other ends, and otherwise the same.
    void put(const SaPtr& sa, const SaPlace& place) {
        erase(sa);
        sa->spec.id.source = place.ends.source;
        sa->spec.id.destination = place.ends.destination;
        sa->spec.udp = place.udp;
        insert(sa);
    }
    void add(SaPtr sa) {
        insert(sa);
        journal.push_back({Change::Kind::sa_added, std::move(sa), {}});
    }
    void remove(const SaPtr& sa) {
        erase(sa);
        removed[sa->spec.id] = sa;
        journal.push_back({Change::Kind::sa_removed, sa, {}});
    }
    Result<void> add(PolicyPtr policy) {
        TORII_CHECK(db.spd_.add(policy));
        journal.push_back({Change::Kind::policy_added, {}, std::move(policy)});
        return {};
    }
    void remove(const PolicyPtr& policy) {
        const std::uint64_t order = db.spd_.order_of(*policy);
        (void)db.spd_.remove(policy->direction, policy->selector, policy->owner);
        journal.push_back({Change::Kind::policy_removed, {}, policy, order});
    }
    void undo() {
        for (Change& change : std::views::reverse(journal)) switch (change.kind) {
                case Change::Kind::sa_added:
                    erase(change.sa);
                    db.builder_.discard(*change.sa);
                    break;
                case Change::Kind::sa_removed: insert(change.sa); break;
                case Change::Kind::sa_kept:
                    erase(change.sa);
                    set_terms(*change.sa, change.before);
                    break;
                case Change::Kind::sa_moved: put(change.sa, change.place); break;
                case Change::Kind::policy_added:
                    (void)db.spd_.remove(change.policy->direction, change.policy->selector, change.policy->owner);
                    db.builder_.dismiss(*change.policy);
                    break;
                case Change::Kind::policy_removed: db.spd_.restore(change.policy, change.order); break;
                case Change::Kind::filter_changed: db.filter_ = change.filter; break;
            }
        journal.clear();
    }

    // ---- operations
    Result<Outcome> operator()(control::AddSa& op) {
        TORII_CHECK(check(op.spec));
        const SaId& id = op.spec.id;
        if (const auto there = db.by_spi_.find({id.destination, id.protocol, id.spi}); there != db.by_spi_.end())
            return fail(Errc::exists, "an SA " + described(there->second->spec.id) + " is there already");
        return make(std::move(op.spec));
    }
    Result<Outcome> operator()(control::UpdateSa& op) {
        TORII_CHECK(check(op.spec));
        const SaPtr old = db.find(op.spec.id);
        if (!old) return fail(Errc::not_found, "no SA " + described(op.spec.id));
        remove(old);
        return make(std::move(op.spec));
    }
    Result<Outcome> operator()(control::MoveSa& op) {
        const SaPtr sa = db.find(op.id);
        if (!sa) return fail(Errc::not_found, "no SA " + described(op.id));
        SaId next = op.id;
        next.source = op.source;
        next.destination = op.destination;
        TORII_CHECK(check(next));
        if (const auto there = db.by_spi_.find({next.destination, next.protocol, next.spi});
            there != db.by_spi_.end() && there->second != sa)
            return fail(Errc::exists, "an SA " + described(there->second->spec.id) + " is there already");
        TORII_CHECK(db.builder_.may_move(*sa, op));
        Change change{.kind = Change::Kind::sa_moved, .sa = sa, .policy = {}};
        change.place = {{sa->spec.id.source, sa->spec.id.destination}, sa->spec.udp};
        put(sa, {{op.source, op.destination}, op.udp});
        sa->moved_at = now.steady;
        journal.push_back(std::move(change));
        return Outcome{};
    }
    /// Two SAs under one key of a counter mode would use the same IVs sooner or later, which gives the traffic of both
    /// away, and with AES-GCM the key of its ICVs (RFC 4106 3.1). Which way they go does not matter.
    Result<void> check_own_key(const control::SaSpec& spec) const {
        if (!info(spec.cipher).counter_mode) return {};
        const auto there = db.by_counter_key_.find(&spec.cipher_key);
        if (there == db.by_counter_key_.end()) return {};
        return fail(Errc::denied, "the SA " + described(there->second->spec.id) + " has the same key, and two SAs of " +
                                      std::string{info(spec.cipher).name} +
                                      " must not share one: their IVs would repeat (RFC 4106 3.1)");
    }
    /// What was removed in this transaction and is added again as it was lives on: its numbers never start anew under
    /// one key, and what its window refused stays refused. Its age goes on as well.
    bool keep(const control::SaSpec& spec) {
        const auto at = removed.find(spec.id);
        if (at == removed.end() || !is_same_sa(*at->second, spec)) return false;
        const SaPtr sa = std::move(at->second);
        removed.erase(at);
        const SaTerms before = terms(*sa);
        SaTerms after{spec.reqid, spec.hard, spec.soft, before.state, before.soft_told};
        if (spec.hard != before.hard || spec.soft != before.soft) {  // judged anew
            after.state = control::SaState::mature;
            after.soft_told = false;
        }
        set_terms(*sa, after);
        insert(sa);
        journal.push_back({.kind = Change::Kind::sa_kept, .sa = sa, .policy = {}, .before = before});
        return true;
    }
    Result<Outcome> make(control::SaSpec spec) {
        if (keep(spec)) return Outcome{};
        TORII_CHECK(check_own_key(spec));
        auto sa = std::make_shared<SaEntry>();
        sa->spec = std::move(spec);
        sa->serial = db.next_serial_++;
        sa->created = now;
        TORII_CHECK(db.builder_.build(*sa));
        add(std::move(sa));
        return Outcome{};
    }
    Result<Outcome> operator()(control::GetSpi& op) {
        TORII_CHECK(check(op.id));
        SaId id = op.id;
        if (id.spi == Spi{}) {
            TORII_TRY(id.spi, free_spi(op));
        }
        TORII_CHECK(check_spi(id));
        if (db.by_spi_.contains({id.destination, id.protocol, id.spi})) {
            return fail(Errc::exists, "SPI " + std::to_string(static_cast<std::uint32_t>(id.spi)) + " is taken");
        }
        auto sa = std::make_shared<SaEntry>();
        sa->spec.id = id;
        sa->spec.mode = op.mode;
        sa->spec.reqid = op.reqid;
        sa->state = control::SaState::larval;
        sa->serial = db.next_serial_++;
        sa->created = now;
        add(std::move(sa));
        return Outcome{.spi = id.spi};
    }
    Result<Spi> free_spi(const control::GetSpi& op) {
        constexpr std::uint32_t first_cpi = 0x100, last_cpi = 61439;  // those that are negotiated (RFC 3173 3.3)
        const SaId& id = op.id;
        std::uint32_t lowest = op.lowest != 0 ? op.lowest : db.settings_.spi_minimum;
        std::uint32_t highest = op.highest != 0 ? op.highest : db.settings_.spi_maximum;
        if (id.protocol == IpsecProtocol::ipcomp) {
            lowest = std::clamp(lowest, first_cpi, last_cpi);
            highest = std::clamp(highest, first_cpi, last_cpi);
        }
        if (lowest > highest) return fail(Errc::bad_value, "the lowest SPI to choose from is above the highest");
        const std::uint64_t span = std::uint64_t{highest} - lowest + 1;
        for (unsigned attempt = 0; attempt < 1000; ++attempt) {  // random, so that a stranger cannot guess it
            std::uint64_t random = 0;
            if (getrandom(&random, sizeof random, 0) != sizeof random) break;
            const Spi spi{lowest + static_cast<std::uint32_t>(random % span)};
            if (!db.by_spi_.contains({id.destination, id.protocol, spi})) return spi;
        }
        return fail(Errc::no_room, "no SPI is free between the set limits");
    }
    Result<Outcome> operator()(control::DeleteSa& op) {
        const SaPtr sa = db.find(op.id);
        if (!sa) return fail(Errc::not_found, "no SA " + described(op.id));
        remove(sa);
        return Outcome{.removed = 1};
    }
    template <class Condition>
    Outcome remove_sas(Condition fits) {
        std::vector<SaPtr> chosen;
        for (const auto& [serial, sa] : db.by_serial_)
            if (fits(sa->spec.id)) chosen.push_back(sa);
        for (const SaPtr& sa : chosen) remove(sa);
        return {.removed = chosen.size()};
    }
    Result<Outcome> operator()(control::DeleteAllSas& op) {
        return remove_sas([&](const SaId& id) {
            return id.source == op.source && id.destination == op.destination &&
                   (!op.protocol || id.protocol == *op.protocol);
        });
    }
    Result<Outcome> operator()(control::FlushSas& op) {
        return remove_sas([&](const SaId& id) { return !op.protocol || id.protocol == *op.protocol; });
    }
    /// Whether a policy or a rule of the filter names this tag.
    bool is_tag_used(std::string_view tag) const {
        const auto names_it = [&](const PolicyPtr& policy) { return policy->selector.tag == tag; };
        return db.filter_->gives(tag) || std::ranges::any_of(db.spd_.in_order(Direction::inbound), names_it) ||
               std::ranges::any_of(db.spd_.in_order(Direction::outbound), names_it);
    }
    Result<Tag> number_of(std::string_view tag) {
        if (tag.empty()) return Tag::none;
        return db.tags_.number_of(tag, [this](std::string_view name) { return is_tag_used(name); });
    }
    Result<Outcome> operator()(control::AddPolicy& op) {
        TORII_CHECK(check(op.policy));
        TORII_TRY(op.policy.tag, number_of(op.policy.selector.tag));
        auto policy = std::make_shared<Policy>(std::move(op.policy));
        policy->id = PolicyId{db.next_policy_id_++};
        policy->created_unix_seconds = now.unix_seconds;
        policy->last_use = std::make_shared<LastUse>();
        for (Request& request : policy->requests) settle(request);
        TORII_CHECK(db.builder_.admit(*policy));
        if (auto added = add(policy); !added) {
            db.builder_.dismiss(*policy);
            return std::unexpected(std::move(added).error());
        }
        Outcome outcome{.policy = policy->id};
        if (const std::string& tag = policy->selector.tag; !tag.empty() && !db.filter_->gives(tag))
            outcome.warning = "no rule of the packet filter gives the tag \"" + tag + "\": this policy meets no packet";
        return outcome;
    }
    /// Levels and reqids that were left to us (KAME: default by sysctl, unique ids from 0x4000).
    void settle(Request& request) {
        request.by_default = request.level == Level::system_default;
        if (request.by_default) request.level = default_level(request, db.settings_);
        if (request.level == Level::unique && request.reqid == ReqId{}) request.reqid = ReqId{db.next_reqid_++};
    }
    Result<Outcome> operator()(control::UpdatePolicy& op) {
        if (const PolicyPtr old = db.spd_.find(op.policy.direction, op.policy.selector)) remove(old);
        control::AddPolicy add_again{std::move(op.policy)};
        return (*this)(add_again);
    }
    Result<Outcome> operator()(control::DeletePolicy& op) {
        const PolicyPtr policy = db.spd_.find(op.direction, op.selector);
        if (!policy) return fail(Errc::not_found, "no policy " + op.selector.text());
        remove(policy);
        return Outcome{.removed = 1};
    }
    Result<Outcome> operator()(control::ChangeFilter& op) {
        if (!op.rule.port.empty() && !db.builder_.is_port(op.rule.port))
            return fail(Errc::not_found, "there is no port " + op.rule.port);
        if (!op.rule.tag.empty() && op.hook != control::Hook::wire)
            return fail(Errc::bad_value, "tags are given at hook wire: policies have been asked before hook clear is");
        TORII_CHECK(number_of(op.rule.tag));
        FilterLists next = *db.filter_;
        TORII_TRY(const Outcome outcome, change(next, op));
        Change step{.kind = Change::Kind::filter_changed, .sa = {}, .policy = {}, .filter = db.filter_};
        db.filter_ = std::make_shared<const FilterLists>(std::move(next));
        journal.push_back(std::move(step));
        return outcome;
    }
    Result<Outcome> operator()(control::FlushPolicies&) {
        std::size_t removed = 0;
        for (const Direction direction : {Direction::inbound, Direction::outbound})
            for (const PolicyPtr& policy : db.spd_.in_order(direction)) {
                if (policy->owner != PolicyOwner::spd) continue;
                remove(policy);
                ++removed;
            }
        return Outcome{.removed = removed};
    }
    Result<Outcome> operator()(control::DeleteSocketPolicy& op) {
        const PolicyPtr policy = db.spd_.find(op.policy);
        if (!policy || policy->owner == PolicyOwner::spd) return Outcome{};
        remove(policy);
        return Outcome{.removed = 1};
    }
};

Result<std::vector<Outcome>> Database::apply(std::vector<control::Located> transaction, const Moment& now,
                                             Journal& journal) {
    Run run{*this, journal, now};
    const TagBook tags_before = tags_;
    std::vector<Outcome> outcomes;
    for (control::Located& located : transaction) {
        auto outcome = std::visit(run, located.operation);
        if (!outcome) {
            run.undo();
            tags_ = tags_before;
            if (located.where.empty()) return std::unexpected(std::move(outcome).error());
            return std::unexpected(std::move(outcome).error().in(located.where));
        }
        outcomes.push_back(*std::move(outcome));
    }
    return outcomes;
}

std::vector<PolicyPtr> Database::settle_levels() {
    const auto is_stale = [this](const Request& request) {
        return request.by_default && request.level != default_level(request, settings_);
    };
    std::vector<PolicyPtr> changed;
    for (const Direction direction : {Direction::inbound, Direction::outbound})
        for (const PolicyPtr& policy : spd_.in_order(direction)) {
            if (std::ranges::none_of(policy->requests, is_stale)) continue;
            auto next = std::make_shared<Policy>(*policy);
            for (Request& request : next->requests)
                if (is_stale(request)) request.level = default_level(request, settings_);
            changed.push_back(next);
        }
    for (const PolicyPtr& policy : changed) spd_.replace(policy);
    return changed;
}

SaPtr Database::find(const SaId& id) const {
    const auto at = by_id_.find(id);
    return at == by_id_.end() ? nullptr : at->second;
}

}  // namespace torii
