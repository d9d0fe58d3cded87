// Read once for all tests that need no DPDK: what most of them include is most of what compiling one costs.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "../catch.h"
#include "app/config/read.h"
#include "app/rpc/server.h"
#include "app/setkey/setkey.h"
#include "cli/json.h"
#include "control/control_plane.h"
