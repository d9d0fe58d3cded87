// The transforms that we can do and how they are spelled: ONE table from which proposals are parsed, offered, chosen
// and explained (RFC 7296 3.3.2; RFC 8247 and RFC 8221 for what is wanted, allowed and refused). Any thread; constants.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "control/operations.h"
#include "ike/message/payloads.h"

namespace torii::ike {

/// What one proposal comes to once one transform of each type is chosen. Of IKE: encr, prf, ke, and integ unless
/// encr is an AEAD. Of ESP: encr, esn, perhaps integ and ke (PFS). Of AH: integ, esn, perhaps ke.
struct Suite {
    EncrId encr = EncrId::null;
    std::uint16_t encr_key_bits = 0;  // as in the Key Length attribute; 0: none
    IntegId integ = IntegId::none;
    PrfId prf{};                   // IKE alone
    KeMethod ke = KeMethod::none;  // none: no key exchange of its own
    bool esn = false;
    std::array<KeMethod, additional_kes> additional{};  // by ADDKE1 to ADDKE7 (RFC 9370); none: there is none of that
    std::vector<KeMethod> further() const;              // those that take place, in their order
    friend bool operator==(const Suite&, const Suite&) = default;
};

struct EncrInfo {
    EncrId id;
    std::string_view word;    // of a proposal: "aes128gcm16"; one row for each key length
    std::uint16_t key_bits;   // the attribute's; 0: the transform has a fixed length and no attribute
    std::uint8_t key_octets;  // of key material, without salt
    std::uint8_t salt_octets;
    std::uint8_t iv_octets, block_octets, icv_octets;  // icv: of an AEAD, else 0
    bool for_ike, for_esp;
    bool legacy;  // refused unless asked for (RFC 8247, RFC 8221: SHOULD NOT and below, 3DES too)
    std::optional<CipherId> data_plane;  // as the gateway's registry calls it
    constexpr bool aead() const { return icv_octets != 0; }
};
struct IntegInfo {
    IntegId id;
    std::string_view word;  // "sha256"
    std::uint8_t key_octets, icv_octets;
    bool legacy;
    std::optional<AuthId> data_plane;
};
struct PrfInfo {
    PrfId id;
    std::string_view word;       // "prfsha256"
    std::uint8_t output_octets;  // also the preferred key length (2.13)
    bool legacy;
};
struct KeInfo {
    KeMethod id;
    std::string_view word;        // "x25519"
    std::uint16_t public_octets;  // what an initiator's KE payload must hold
    bool legacy;
    std::uint16_t answer_octets;  // what the responder's must
};
std::span<const EncrInfo> encrs();
std::span<const IntegInfo> integs();
std::span<const PrfInfo> prfs();
std::span<const KeInfo> kes();
/// Null: we cannot do it.
const EncrInfo* find(EncrId id, std::uint16_t key_bits);
const IntegInfo* find(IntegId id);
const PrfInfo* find(PrfId id);
const KeInfo* find(KeMethod id);

enum class LegacyAlgorithms : bool { refused, allowed };

/// "aes128gcm16-prfsha256-x25519" or "aes128-sha256-modp2048" (the integrity's hash is then the PRF's too), several
/// words of a type allowed: what is offered and taken, in order. Additional key exchanges (RFC 9370) have a number in
/// front, "ke1_ecp384", and may be left out where "ke1_none" stands too. Errors name the word, and the ones there are.
Result<Proposal> parse_ike_proposal(std::string_view words, LegacyAlgorithms legacy);
/// "aes128gcm16", "aes256-sha256-x25519-esn-noesn" for ESP; "sha256" for AH. Without esn words: noesn.
Result<Proposal> parse_child_proposal(ProtocolId protocol, std::string_view words, LegacyAlgorithms legacy);
/// The usual proposals, where nothing is configured.
std::vector<Proposal> default_ike_proposals();
std::vector<Proposal> default_child_proposals(ProtocolId protocol);

/// A proposal in the words above; unknown transforms by their numbers.
std::string text_of(const Proposal& proposal);
std::string text_of(const Suite& suite);

struct Choice {
    Proposal chosen;  // to be sent back: the peer's number, one transform of each type; its SPI is the peer's
    Suite suite;
};
/// Chooses (2.7, 3.3.6): `offered` in the peer's order, the first of its proposals that one of `ours` covers, each
/// transform by our preference. `preferred`: a key exchange method that the peer has sent a value of, taken if it may
/// be; without (or `none`) whatever we prefer. `without_ke`: a child of IKE_AUTH has none, its transforms are ignored
/// (1.2).
struct Choosing {
    KeMethod preferred = KeMethod::none;
    bool without_ke = false;
    /// The peer has not said that he knows IKE_INTERMEDIATE: none of his additional key exchanges (RFC 9370 2.2.1).
    bool without_additional = false;
};
/// Nothing: no proposal fits; `why_not` says, for the nearest pair, which transform type differs first, with both
/// sides' proposals, so that an operator sees what to change.
std::optional<Choice> choose(const std::vector<Proposal>& ours, const std::vector<Proposal>& offered, Choosing how);
std::string why_not(const std::vector<Proposal>& ours, const std::vector<Proposal>& offered, Choosing how = {});
/// What the peer chose, checked against what we offered: one of our proposals by number, one transform of each type,
/// each of them offered (2.7). Errors say what is wrong.
Result<Suite> accept(const std::vector<Proposal>& offered, const Proposal& chosen, Choosing how);

}  // namespace torii::ike
