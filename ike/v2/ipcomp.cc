#include "ike/v2/ipcomp.h"

#include <algorithm>

#include "base/reader.h"
#include "ike/message/message.h"
#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

bool is_ipcomp(const Payload& payload) {
    const auto* n = std::get_if<Notify>(&payload);
    return n != nullptr && n->type == NotifyType::ipcomp_supported;
}

/// 3.10.1: two octets of CPI, one of the algorithm; DEFLATE has no attributes behind it.
std::optional<Cpi> deflate_cpi(const Notify& n) {
    Reader in{n.data};
    const auto cpi = in.u16();
    const auto transform = in.u8();
    if (!cpi || !transform || in.size() != 0) return {};
    if (*transform != static_cast<std::uint8_t>(IpcompTransform::deflate)) return {};
    if (*cpi < first_cpi || *cpi > last_cpi) return {};
    return Cpi{*cpi};
}

control::SaSpec spec_of(control::SaId id, const ChildSa& child) {
    control::SaSpec spec;
    spec.id = std::move(id);
    spec.mode = child.mode;
    spec.reqid = child.ipcomp->reqid;
    spec.raw_cpi = true;
    // Should we ourselves fail to act: octets and packets are its ESP's or AH's to count.
    spec.hard.seconds = child.config->life_seconds + 60ull;
    return spec;
}

}  // namespace

std::optional<CpiLease> Cpis::take(CryptoContext& crypto) {
    if (taken_->size() >= most) return {};
    for (;;) {
        const Cpi cpi{static_cast<std::uint16_t>(first_cpi + crypto.below(last_cpi - first_cpi + 1))};
        if (taken_->insert(cpi).second) return CpiLease{taken_, cpi};
    }
}

Notify ipcomp_supported(Cpi cpi) {
    Octets data;
    Writer{data}.u16(static_cast<std::uint16_t>(cpi)).u8(static_cast<std::uint8_t>(IpcompTransform::deflate));
    return notify(NotifyType::ipcomp_supported, std::move(data));
}

std::optional<Cpi> offered_cpi(const Payloads& payloads) {
    for (const Payload& payload : payloads)
        if (is_ipcomp(payload))
            if (const auto cpi = deflate_cpi(std::get<Notify>(payload))) return cpi;
    return {};
}

std::size_t count_ipcomp(const Payloads& payloads) {
    return static_cast<std::size_t>(std::ranges::count_if(payloads, is_ipcomp));
}

std::optional<Bundle> bundle_of(const Policy& policy) {
    const auto& requests = policy.requests;
    if (requests.size() == 1 && requests[0].protocol != IpsecProtocol::ipcomp)
        return Bundle{requests[0].protocol, requests[0].mode, false, requests[0].reqid, {}};
    if (requests.size() != 2 || requests[0].protocol != IpsecProtocol::ipcomp ||
        requests[1].protocol == IpsecProtocol::ipcomp || requests[1].mode != Mode::transport)
        return {};
    return Bundle{requests[1].protocol, requests[0].mode, true, requests[1].reqid, requests[0].reqid};
}

// ---- what it is in the gateway

control::SaId inbound_ipcomp(const IkeSa& sa, const ChildSa& child) {
    auto id = inbound_sa(sa, child);
    id.protocol = IpsecProtocol::ipcomp;
    id.spi = Spi{static_cast<std::uint16_t>(child.ipcomp->inbound.cpi())};
    return id;
}

control::SaId outbound_ipcomp(const IkeSa& sa, const ChildSa& child) {
    auto id = outbound_sa(sa, child);
    id.protocol = IpsecProtocol::ipcomp;
    id.spi = Spi{static_cast<std::uint16_t>(child.ipcomp->outbound)};
    return id;
}

std::vector<control::SaId> sas_of(const IkeSa& sa, const ChildSa& child) {
    std::vector<control::SaId> out{inbound_sa(sa, child), outbound_sa(sa, child)};
    if (child.ipcomp) {
        out.push_back(inbound_ipcomp(sa, child));
        out.push_back(outbound_ipcomp(sa, child));
    }
    return out;
}

void note_gone(const IkeSa& sa, ChildSa& child, const control::SaId& gone) {
    if (gone == inbound_sa(sa, child)) child.inbound_up = false;
    if (gone == outbound_sa(sa, child)) child.outbound_up = false;
    if (!child.ipcomp) return;
    if (gone == inbound_ipcomp(sa, child)) child.ipcomp->inbound_up = false;
    if (gone == outbound_ipcomp(sa, child)) child.ipcomp->outbound_up = false;
}

void add_inbound_ipcomp(const IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations) {
    if (child.ipcomp) operations.emplace_back(control::AddSa{spec_of(inbound_ipcomp(sa, child), child)});
}

void add_outbound_ipcomp(const IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations) {
    if (!child.ipcomp || std::exchange(child.ipcomp->outbound_up, true)) return;
    operations.emplace_back(control::AddSa{spec_of(outbound_ipcomp(sa, child), child)});
}

void remove_outbound_ipcomp(const IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations) {
    if (!child.ipcomp || !std::exchange(child.ipcomp->outbound_up, false)) return;
    operations.emplace_back(control::DeleteSa{outbound_ipcomp(sa, child)});
}

void remove_inbound_ipcomp(const IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations) {
    if (!child.ipcomp || !std::exchange(child.ipcomp->inbound_up, false)) return;
    operations.emplace_back(control::DeleteSa{inbound_ipcomp(sa, child)});
}

// ---- what the exchanges have of it

/// What we offer: nothing where the child is not to be compressed.
void Turn::offer_ipcomp(const ChildConfig& config, Payloads& payloads, Outstanding& what) {
    if (!config.ipcomp) return;
    what.cpi = engine.cpis_.take(engine.crypto_);
    if (what.cpi) payloads.emplace_back(ipcomp_supported(what.cpi->cpi()));
}

/// The initiator's part: what was agreed on, if anything was. The error is what the peer may not answer.
Result<std::optional<Compression>> Turn::agreed_ipcomp(const Payloads& answered, Outstanding& what, ReqId reqid) {
    const std::size_t answers = count_ipcomp(answered);
    if (answers == 0) return std::nullopt;
    const auto peers = offered_cpi(answered);
    if (!what.cpi) return fail(Errc::bad_value, "the peer compresses, and we did not offer it");
    if (answers > 1) return fail(Errc::bad_value, "the peer compresses in several ways");
    if (!peers) return fail(Errc::bad_value, "the peer compresses in a way that we did not offer");
    Compression out{std::move(*what.cpi), *peers, reqid};
    what.cpi.reset();
    return out;
}

/// The responder's part: the first offer of DEFLATE, where our child compresses too.
std::optional<Compression> Turn::grant_ipcomp(const IkeSa& sa, const ChildConfig& config, const Payloads& asked,
                                              ReqId reqid) {
    const auto peers = config.ipcomp ? offered_cpi(asked) : std::nullopt;
    if (!peers) return {};
    const Spi number{static_cast<std::uint16_t>(*peers)};
    if (engine.child_of_sa_.contains({sa.local.address, sa.remote.address, IpsecProtocol::ipcomp, number}))
        return {};  // the peer gives one number to two of his SAs: this one goes uncompressed
    auto mine = engine.cpis_.take(engine.crypto_);
    if (!mine) return {};
    return Compression{std::move(*mine), *peers, reqid};
}

}  // namespace torii::ike
