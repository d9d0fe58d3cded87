// What the gateway would say of a transaction, without a gateway: no port, no EAL, no SA built. Any thread.
#pragma once

#include <vector>

#include "control/operations.h"
#include "gateway/configuration.h"

namespace torii {

/// Applies `transaction` to empty databases that nobody sees, as a start with `configuration` would. Errors are those
/// of Gateway::apply, but for what only hardware and other SAs can lack: room.
Result<void> rehearse(std::vector<control::Located> transaction, const Configuration& configuration);

}  // namespace torii
