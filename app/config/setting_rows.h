// The settings that only the file has; settings.h joins them with those that an operator may change later.
#pragma once

#include "app/config/settings.h"

namespace torii::config {

/// Constant, in the manual's order.
std::span<const Setting> rows_of_the_file();
/// Those of the section `ike`; of the children of its connections behind the others.
std::span<const Setting> rows_of_ike();
std::span<const Setting> rows_of_ike_children();

}  // namespace torii::config
