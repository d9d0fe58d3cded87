// Whose proposal it shall be, and why none (RFC 7296 2.7, 3.3.3, 3.3.6; RFC 9370 2.2.1 for additional key exchanges).
#include <algorithm>
#include <array>

#include "ike/crypto/words.h"

namespace torii::ike {
namespace {

using enum TransformType;
// In which proposals are compared and explained. Additional key exchanges stand behind the one that they add to.
constexpr auto order = [] {
    std::array<TransformType, 5 + additional_kes> out{encr, prf, integ, ke};
    for (std::size_t i = 0; i < additional_kes; ++i) out[4 + i] = additional_ke(i);
    out.back() = esn;
    return out;
}();

bool is_known(TransformType type) { return std::ranges::find(order, type) != order.end(); }
bool is_of_ke(TransformType type) { return type == ke || is_additional_ke(type); }

/// A transform that asks for nothing: integrity beside an AEAD, no key exchange. Left out it is the same (3.3.2).
bool is_none(const Transform& transform) {
    return (transform.type == integ || is_of_ke(transform.type)) && transform.id == 0;
}

std::vector<Transform> of_type(const Proposal& proposal, TransformType type) {
    std::vector<Transform> out;
    std::ranges::copy_if(proposal.transforms, std::back_inserter(out),
                         [&](const Transform& transform) { return transform.type == type; });
    return out;
}

/// What may be chosen of one type; nothing: no transform, since none is needed.
using Candidate = std::optional<Transform>;

/// Those of `offered` that `ours` has, by our preference. Where one side has no transform of the type, the other may
/// only have NONE beside it. Empty: they do not agree.
std::vector<Candidate> candidates(const std::vector<Transform>& ours, const std::vector<Transform>& offered,
                                  KeMethod preferred) {
    std::vector<Candidate> out;
    for (const Transform& mine : ours)
        if (mine.understood && std::ranges::find(offered, mine) != offered.end()) out.emplace_back(mine);
    const auto sent = std::ranges::find_if(out, [&](const Candidate& there) {
        return there->type == ke && preferred != KeMethod::none && KeMethod{there->id} == preferred;
    });
    if (sent != out.end()) std::rotate(out.begin(), sent, sent + 1);
    if (!out.empty()) return out;
    const auto nothing = [](const std::vector<Transform>& all) {
        return all.empty() || std::ranges::any_of(all, is_none);
    };
    const auto none = std::ranges::find_if(offered, is_none);
    if (nothing(ours) && nothing(offered)) out.push_back(none == offered.end() ? Candidate{} : *none);
    return out;
}

bool is_exchange(const Candidate& candidate) { return candidate && !is_none(*candidate); }

/// Of additional key exchanges: no method twice, and none beside no key exchange at all (RFC 9370 2.2.1).
bool goes_with(const Candidate& candidate, const std::vector<Transform>& chosen) {
    if (!is_exchange(candidate)) return true;
    const bool first = std::ranges::any_of(chosen, [](const Transform& t) { return t.type == ke && !is_none(t); });
    return first && std::ranges::none_of(
                        chosen, [&](const Transform& t) { return is_additional_ke(t.type) && t.id == candidate->id; });
}

/// The first type that `ours` and `offered` differ in; nothing: they have a suite in common, in `chosen`.
struct Comparison {
    std::optional<TransformType> differs;
    std::size_t agreed = 0;  // types in front of that one
    bool hopeless = false;   // whatever is chosen of the types in front of it
    std::vector<Transform> chosen;
};

/// Chooses of `order` from `at` on; what was chosen before stands in `out`. Only an additional key exchange may force
/// another choice of an earlier one, by being the same: the search is short.
bool choose_from(std::size_t at, const Proposal& ours, const Proposal& offered, const Choosing& how, Comparison& out) {
    if (at == order.size()) return true;
    const TransformType type = order[at];
    if (how.without_ke && is_of_ke(type)) return choose_from(at + 1, ours, offered, how, out);
    auto there = candidates(of_type(ours, type), of_type(offered, type), how.preferred);
    if (is_additional_ke(type) && how.without_additional) std::erase_if(there, is_exchange);
    out.hopeless = there.empty();
    for (const Candidate& candidate : there) {
        if (is_additional_ke(type) && !goes_with(candidate, out.chosen)) continue;
        if (candidate) out.chosen.push_back(*candidate);
        if (choose_from(at + 1, ours, offered, how, out)) return true;
        if (out.hopeless || !is_of_ke(type)) return false;
        if (candidate) out.chosen.pop_back();
    }
    if (at >= out.agreed) {
        out.agreed = at;
        out.differs = type;
    }
    return false;
}

Comparison compare(const Proposal& ours, const Proposal& offered, const Choosing& how) {
    Comparison out;
    if (choose_from(0, ours, offered, how, out)) {
        out.differs.reset();
        out.agreed = order.size();
    }
    // A type that we do not know makes the whole proposal one that we cannot take (3.3.6).
    const auto unknown = std::ranges::find_if(offered.transforms, [](const Transform& t) { return !is_known(t.type); });
    if (!out.differs && unknown != offered.transforms.end()) out.differs = unknown->type;
    return out;
}

Suite suite_of(const std::vector<Transform>& chosen) {
    Suite out;
    for (const Transform& transform : chosen) switch (transform.type) {
            case encr:
                out.encr = EncrId{transform.id};
                out.encr_key_bits = transform.key_bits.value_or(0);
                break;
            case prf: out.prf = PrfId{transform.id}; break;
            case integ: out.integ = IntegId{transform.id}; break;
            case ke: out.ke = KeMethod{transform.id}; break;
            case esn: out.esn = EsnId{transform.id} == EsnId::esn; break;
            default:
                if (is_additional_ke(transform.type))
                    out.additional[additional_place(transform.type)] = KeMethod{transform.id};
        }
    return out;
}

std::string words_of(const Proposal& proposal, TransformType type) {
    std::string out;
    for (const Transform& transform : of_type(proposal, type))
        out.append(out.empty() ? "" : " or ").append(word_of(transform));
    return out.empty() ? "none" : out;
}

std::unexpected<Error> not_taken(const Proposal& chosen, const std::string& why) {
    return fail(Errc::bad_value, "the peer chose " + text_of(chosen) + ": " + why);
}

}  // namespace

std::vector<KeMethod> Suite::further() const {
    std::vector<KeMethod> out;
    std::ranges::copy_if(additional, std::back_inserter(out), [](KeMethod m) { return m != KeMethod::none; });
    return out;
}

std::optional<Choice> choose(const std::vector<Proposal>& ours, const std::vector<Proposal>& offered, Choosing how) {
    for (const Proposal& theirs : offered)
        for (const Proposal& mine : ours) {
            if (mine.protocol != theirs.protocol) continue;
            Comparison found = compare(mine, theirs, how);
            if (found.differs) continue;
            const Suite suite = suite_of(found.chosen);
            return Choice{.chosen = {.number = theirs.number,
                                     .protocol = theirs.protocol,
                                     .spi = theirs.spi,
                                     .transforms = std::move(found.chosen)},
                          .suite = suite};
        }
    return std::nullopt;
}

std::string why_not(const std::vector<Proposal>& ours, const std::vector<Proposal>& offered, Choosing how) {
    const std::string both = "; the peer offers " + text_of(offered) + "; we take " + text_of(ours);
    const Proposal *nearest = nullptr, *theirs_nearest = nullptr;
    Comparison best;
    for (const Proposal& theirs : offered)
        for (const Proposal& mine : ours) {
            if (mine.protocol != theirs.protocol) continue;
            Comparison found = compare(mine, theirs, how);
            if (!found.differs) return "the proposals agree on " + text_of(suite_of(found.chosen)) + both;
            if (nearest != nullptr && found.agreed <= best.agreed) continue;
            nearest = &mine;
            theirs_nearest = &theirs;
            best = std::move(found);
        }
    if (nearest == nullptr) return "no two proposals are for the same protocol" + both;
    const TransformType type = *best.differs;
    return "the " + name_of(type) + " differs: the peer has " + words_of(*theirs_nearest, type) + ", we have " +
           words_of(*nearest, type) +
           (how.without_additional && is_additional_ke(type) ? ", and he knows no IKE_INTERMEDIATE" : "") + both;
}

Result<Suite> accept(const std::vector<Proposal>& offered, const Proposal& chosen, Choosing how) {
    const auto found = std::ranges::find(offered, chosen.number, &Proposal::number);
    if (found == offered.end() || found->protocol != chosen.protocol)
        return not_taken(
            chosen, "we offered no proposal " + std::to_string(chosen.number) + " for " + name_of(chosen.protocol));
    for (const Transform& transform : chosen.transforms) {
        if (!is_known(transform.type) || !transform.understood)
            return not_taken(chosen, word_of(transform) + " is nothing that we know");
        if (of_type(chosen, transform.type).size() > 1)
            return not_taken(chosen, "it has more than one " + name_of(transform.type));
        if (is_of_ke(transform.type) && how.without_ke) continue;
        if (!is_none(transform) && std::ranges::find(found->transforms, transform) == found->transforms.end())
            return not_taken(chosen, "we did not offer " + word_of(transform) + " there");
    }
    std::vector<Transform> taken;
    for (const TransformType type : order) {
        if (is_of_ke(type) && how.without_ke) continue;
        const std::vector<Transform> wanted = of_type(*found, type), got = of_type(chosen, type);
        const bool needed = !wanted.empty() && !std::ranges::any_of(wanted, is_none);
        if (needed && (got.empty() || is_none(got.front())))
            return not_taken(chosen, "it has no " + name_of(type) + ", we offered " + words_of(*found, type));
        if (is_additional_ke(type) && !got.empty() && !goes_with(got.front(), taken))
            return not_taken(chosen, word_of(got.front()) + " is a key exchange that it has already, or the only one");
        taken.insert(taken.end(), got.begin(), got.end());
    }
    const Suite suite = suite_of(taken);
    if (how.preferred != KeMethod::none && suite.ke != how.preferred && suite.ke != KeMethod::none)
        return not_taken(chosen, "we sent a value of " + name_of(how.preferred) +
                                     ", and another method would have to be asked for by INVALID_KE_PAYLOAD");
    return suite;
}

}  // namespace torii::ike
