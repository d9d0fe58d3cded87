// Read once for all tests of IKE: what most of them include is most of what compiling one costs.
#include <functional>
#include <random>
#include <set>

#include "../catch.h"
#include "ike/v2/engine.h"
