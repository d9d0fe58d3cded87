// From what a configuration file says about IKE to what the IKE library works with: identities and proposals are
// parsed, keys and certificates read and judged, and what does not fit together is told. Control thread, at start and
// at reload; reads the files that the configuration names.
#pragma once

#include "app/config/ike_form.h"
#include "base/error.h"
#include "ike/crypto/context.h"

namespace torii::config {

/// The whole section, or Errc::bad_value with everything that is wrong, each line "FILE:LINE: SETTING ...", as
/// config::read has it. `context` outlives the result, whose keys are its own.
Result<ike::EngineConfig> load_ike(const File& file, ike::CryptoContext& context);

}  // namespace torii::config
