// A packet as `torii capture` is told of it. Borrowed for the call. Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "control/filter_rule.h"

namespace torii::control {

struct CapturedPacket {
    Hook hook{};
    Way way{};
    std::string_view port;  // where it arrived; of what goes out at hook wire, where it leaves
    std::uint64_t unix_nanoseconds = 0;
    std::span<const std::byte> octets;  // from its IP header on, as far as they were kept
    std::uint32_t original_octets = 0;
    std::string_view drop;   // why it was dropped afterwards; empty: it was not, as far as this worker knows
    std::uint64_t lost = 0;  // packets so far that should have been captured and were not
};
using CaptureListener = std::function<void(const CapturedPacket&)>;

struct CaptureHooks {
    bool wire = true, clear = false;
};

}  // namespace torii::control
