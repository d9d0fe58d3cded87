// Whose proposal it shall be, and why none (RFC 7296 2.7, 3.3.3, 3.3.6).
#include <algorithm>
#include <array>

#include "ike/crypto/words.h"

namespace torii::ike {
namespace {

using enum TransformType;
constexpr std::array order{encr, prf, integ, ke, esn};  // in which proposals are compared and explained

bool is_known(TransformType type) { return std::ranges::find(order, type) != order.end(); }

/// A transform that asks for nothing: integrity beside an AEAD, no key exchange. Left out it is the same (3.3.2).
bool is_none(const Transform& transform) {
    return (transform.type == integ || transform.type == ke) && transform.id == 0;
}

std::vector<Transform> of_type(const Proposal& proposal, TransformType type) {
    std::vector<Transform> out;
    std::ranges::copy_if(proposal.transforms, std::back_inserter(out),
                         [&](const Transform& transform) { return transform.type == type; });
    return out;
}

/// One of `offered` that `ours` has, by our preference. Where one side has no transform of the type, the other may
/// only have NONE beside it. Inner nothing: none is needed; outer nothing: they do not agree.
std::optional<std::optional<Transform>> agree(const std::vector<Transform>& ours, const std::vector<Transform>& offered,
                                              KeMethod preferred) {
    const auto is_there = [&](const Transform& mine) {
        return mine.understood && std::ranges::find(offered, mine) != offered.end();
    };
    const auto sent = std::ranges::find_if(ours, [&](const Transform& mine) {
        return mine.type == ke && preferred != KeMethod::none && KeMethod{mine.id} == preferred && is_there(mine);
    });
    if (sent != ours.end()) return *sent;
    if (const auto found = std::ranges::find_if(ours, is_there); found != ours.end()) return *found;
    const auto nothing = [](const std::vector<Transform>& all) {
        return all.empty() || std::ranges::any_of(all, is_none);
    };
    const auto none = std::ranges::find_if(offered, is_none);
    if (!nothing(ours) || !nothing(offered)) return std::nullopt;
    return none == offered.end() ? std::optional<Transform>{} : *none;
}

/// The first type that `ours` and `offered` differ in; nothing: they have a suite in common, in `chosen`.
struct Comparison {
    std::optional<TransformType> differs;
    std::size_t agreed = 0;  // types in front of that one
    std::vector<Transform> chosen;
};
Comparison compare(const Proposal& ours, const Proposal& offered, Choosing how) {
    Comparison out;
    for (const TransformType type : order) {
        if (type == ke && how.without_ke) continue;
        const auto agreed = agree(of_type(ours, type), of_type(offered, type), how.preferred);
        if (!agreed) {
            out.differs = type;
            return out;
        }
        ++out.agreed;
        if (*agreed) out.chosen.push_back(**agreed);
    }
    // A type that we do not know makes the whole proposal one that we cannot take (3.3.6).
    const auto unknown = std::ranges::find_if(offered.transforms, [](const Transform& t) { return !is_known(t.type); });
    if (unknown != offered.transforms.end()) out.differs = unknown->type;
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

std::string why_not(const std::vector<Proposal>& ours, const std::vector<Proposal>& offered) {
    const std::string both = "; the peer offers " + text_of(offered) + "; we take " + text_of(ours);
    const Proposal *nearest = nullptr, *theirs_nearest = nullptr;
    Comparison best;
    for (const Proposal& theirs : offered)
        for (const Proposal& mine : ours) {
            if (mine.protocol != theirs.protocol) continue;
            Comparison found = compare(mine, theirs, {});
            if (!found.differs) return "the proposals agree on " + text_of(suite_of(found.chosen)) + both;
            if (nearest != nullptr && found.agreed <= best.agreed) continue;
            nearest = &mine;
            theirs_nearest = &theirs;
            best = std::move(found);
        }
    if (nearest == nullptr) return "no two proposals are for the same protocol" + both;
    const TransformType type = *best.differs;
    return "the " + name_of(type) + " differs: the peer has " + words_of(*theirs_nearest, type) + ", we have " +
           words_of(*nearest, type) + both;
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
        if (transform.type == ke && how.without_ke) continue;
        if (!is_none(transform) && std::ranges::find(found->transforms, transform) == found->transforms.end())
            return not_taken(chosen, "we did not offer " + word_of(transform) + " there");
    }
    std::vector<Transform> taken;
    for (const TransformType type : order) {
        if (type == ke && how.without_ke) continue;
        const std::vector<Transform> wanted = of_type(*found, type), got = of_type(chosen, type);
        const bool needed = !wanted.empty() && !std::ranges::any_of(wanted, is_none);
        if (needed && (got.empty() || is_none(got.front())))
            return not_taken(chosen, "it has no " + name_of(type) + ", we offered " + words_of(*found, type));
        taken.insert(taken.end(), got.begin(), got.end());
    }
    const Suite suite = suite_of(taken);
    if (how.preferred != KeMethod::none && suite.ke != how.preferred && suite.ke != KeMethod::none)
        return not_taken(chosen, "we sent a value of " + name_of(how.preferred) +
                                     ", and another method would have to be asked for by INVALID_KE_PAYLOAD");
    return suite;
}

}  // namespace torii::ike
