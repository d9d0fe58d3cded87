// What the pages that parse, print and choose proposals share. Inside ike/crypto alone.
#pragma once

#include <optional>
#include <string>

#include "ike/crypto/transforms.h"

namespace torii::ike {

/// The PRF of the same hash; nothing: there is none, or we lack it.
std::optional<PrfId> prf_of(IntegId id);
/// One transform as a proposal's word, or by its RFC name or number.
std::string word_of(const Transform& transform);
/// "A, B, C", each in words.
std::string text_of(const std::vector<Proposal>& proposals);

}  // namespace torii::ike
