// IPComp of a child (RFC 7296 2.22, RFC 3173): each end says by IPCOMP_SUPPORTED by which CPI it receives what is
// compressed, and a child of whom both have said it is a bundle: IPComp inside, its ESP or AH around. Control thread.
#pragma once

#include <memory>
#include <optional>
#include <set>

#include "control/operations.h"
#include "ike/crypto/context.h"
#include "ike/message/payloads.h"

namespace torii::ike {

enum class Cpi : std::uint16_t {};
/// Those that two ends may agree on (RFC 3173 3.3); below are the well-known ones, above private ones.
inline constexpr std::uint16_t first_cpi = 256, last_cpi = 61439;

/// A CPI of ours, nobody else's as long as this lives.
class CpiLease {
public:
    CpiLease(std::shared_ptr<std::set<Cpi>> taken, Cpi cpi) : taken_(std::move(taken)), cpi_(cpi) {}
    CpiLease(CpiLease&&) = default;
    CpiLease& operator=(CpiLease&& other) noexcept {
        std::swap(taken_, other.taken_);
        std::swap(cpi_, other.cpi_);
        return *this;
    }
    ~CpiLease() {
        if (taken_) taken_->erase(cpi_);
    }
    Cpi cpi() const { return cpi_; }

private:
    std::shared_ptr<std::set<Cpi>> taken_;
    Cpi cpi_;
};

/// Every CPI by which we receive. Of all addresses of ours together, though one address would be enough.
class Cpis {
public:
    /// A random one that is free. None: there are as many children as the rest of the numbers bears.
    std::optional<CpiLease> take(CryptoContext& crypto);
    std::size_t taken() const { return taken_->size(); }

private:
    static constexpr std::size_t most = (last_cpi - first_cpi + 1) / 2;  // so that a free one is found at once
    std::shared_ptr<std::set<Cpi>> taken_ = std::make_shared<std::set<Cpi>>();
};

/// The IPComp SAs of a child. They come and go with its ESP or AH.
struct Compression {
    CpiLease inbound;
    Cpi outbound{};
    ReqId reqid{};
    bool inbound_up = true, outbound_up = false;
};

/// IPCOMP_SUPPORTED with DEFLATE, the one way that we compress (RFC 2394).
Notify ipcomp_supported(Cpi cpi);
/// The peer's CPI of the first notification that names DEFLATE and a CPI that may be agreed on.
std::optional<Cpi> offered_cpi(const Payloads& payloads);
/// How many notifications IPCOMP_SUPPORTED there are.
std::size_t count_ipcomp(const Payloads& payloads);

/// What a policy's requests ask of a child: one of its own, or IPComp and a transport-mode SA around it, which is the
/// form that two ends agree on (IP | ESP | IPComp | IP in tunnel mode). Nothing: no child is like that.
struct Bundle {
    IpsecProtocol protocol{};
    Mode mode{};
    bool ipcomp = false;
    ReqId reqid{}, ipcomp_reqid{};
};
std::optional<Bundle> bundle_of(const Policy& policy);

}  // namespace torii::ike
