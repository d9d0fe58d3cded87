// What a service manager that started toriid is told (the notification protocol of systemd's sd_notify(3)). Any thread.
#pragma once

#include <string_view>

namespace torii {

/// Sends `state` ("READY=1") to the socket that NOTIFY_SOCKET names; nothing where nobody asked to be told.
void tell_service_manager(std::string_view state);

}  // namespace torii
