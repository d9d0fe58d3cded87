// As libraries_pch.h, and DPDK's, for all tests of the packet path.
#include "libraries_pch.h"

#include <rte_mbuf.h>
