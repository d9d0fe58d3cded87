// The commands that are about IKE, for table.cc. Any thread; constants only.
#pragma once

#include <vector>

#include "cli/commands.h"

namespace torii::cli {

/// `show ike`, `show child`, `show ike-log`.
std::vector<Command> ike_show_commands();
/// `ike up`, `ike down`, `ike rekey`, `ike reauth`, `ike move`.
std::vector<Command> ike_deed_commands();

}  // namespace torii::cli
