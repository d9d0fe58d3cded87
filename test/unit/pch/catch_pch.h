// Read once for all tests: Catch2 alone is half of what compiling a small test costs.
#include "../catch.h"
