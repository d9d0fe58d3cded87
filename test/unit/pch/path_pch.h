// Read once for all tests of the packet path: what most of them include is most of what compiling one costs.
#include <set>

#include "../catch.h"
#include "app/setkey/setkey.h"
#include "test/support/packets.h"
#include "test/support/wires.h"
