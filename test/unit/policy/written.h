// Rules and packets from the text that Selector::text() and PacketSelector::text() print, so that the tables in these
// tests read like a dump. For well-formed text only.
#pragma once

#include <string>

#include "policy/selector.h"

namespace torii::test {

/// "10.0.1.0/24[any] 10.0.2.0/24[80-90] tcp", "10.0.1.1 10.0.2.1 icmp 8,0"; no brackets: any port.
Selector rule(const std::string& text);

/// "10.0.1.5[4711] 10.0.2.6[80] tcp", "10.0.1.5[unknown] 10.0.2.6[unknown] tcp", "10.0.1.5 10.0.2.6 icmp 8,0", "...
/// gre".
PacketSelector packet(const std::string& text);

}  // namespace torii::test
