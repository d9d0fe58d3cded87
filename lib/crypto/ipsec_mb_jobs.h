// How jobs go through a manager of IPsec-MB. Inside the crypto room only.
#pragma once

#include <algorithm>

#include "crypto/kernel.h"

namespace torii {

/// Submits `count` jobs, each filled in by `fill(IMB_JOB&, i)`, and sees them all through. Lanes stay filled from burst
/// to burst; only the end is flushed.
template <class Fill>
void imb_run_jobs(IMB_MGR* manager, Workbench& bench, std::size_t count, Fill fill) {
    constexpr std::size_t burst_jobs = 32;  // small enough that the keys fetched for it are still near
    for (std::size_t at = 0; at < count;) {
        const auto wanted = static_cast<std::uint32_t>(std::min(count - at, burst_jobs));
        const std::uint32_t got = IMB_GET_NEXT_BURST(manager, wanted, bench.imb_burst.data());
        for (std::uint32_t i = 0; i < got; ++i) fill(*bench.imb_burst[i], at + i);
        at += got;
        if (got != 0) IMB_SUBMIT_BURST_NOCHECK(manager, got, bench.imb_burst.data());
        if (got != wanted) IMB_FLUSH_BURST(manager, imb_burst_jobs, bench.imb_burst.data());
    }
    while (IMB_FLUSH_BURST(manager, imb_burst_jobs, bench.imb_burst.data()) != 0) {
    }
}

}  // namespace torii
