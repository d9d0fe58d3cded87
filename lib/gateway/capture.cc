// A capture as the control core runs it: rings are made and published when somebody asks, emptied into his hands at
// every poll, and retired when he goes.
#include <rte_cycles.h>

#include "gateway/gateway.h"

namespace torii {

namespace {

constexpr unsigned records_per_poll = 256;  // of each worker: a flood must not keep the control core

std::uint64_t unix_nanoseconds() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace

Result<std::shared_ptr<void>> Gateway::capture(control::CaptureHooks hooks, control::CaptureListener listener) {
    if (capturing_) return fail(Errc::exists, "a capture is on already: one at a time");
    auto capture = std::make_unique<Capture>();
    capture->wire = hooks.wire;
    capture->clear = hooks.clear;
    for (std::size_t i = 0; i < workers_.size(); ++i) capture->rings.push_back(std::make_unique<CaptureRing>());
    capture_ = capture.get();
    capture_listener_ = std::move(listener);
    capture_began_ = {rte_rdtsc(), unix_nanoseconds()};
    capturing_ = true;
    Tables::publish<Capture>(publisher_->tables().capture, std::move(capture), *retired_);
    return std::shared_ptr<void>{this, [](void* gateway) { static_cast<Gateway*>(gateway)->end_capture(); }};
}

/// What the rings still hold is not waited for: whoever wanted it has gone.
void Gateway::end_capture() {
    capture_ = nullptr;
    capturing_ = false;
    capture_listener_ = {};
    Tables::publish<Capture>(publisher_->tables().capture, nullptr, *retired_);
}

bool Gateway::serve_capture() {
    if (!capturing_) return false;
    bool any = false;
    std::uint64_t lost = 0;
    for (const auto& ring : capture_->rings) lost += ring->lost();
    const double nanoseconds_per_cycle = 1e9 / static_cast<double>(rte_get_tsc_hz());
    for (std::size_t worker = 0; capturing_ && worker < capture_->rings.size(); ++worker)
        for (unsigned i = 0; i < records_per_poll; ++i) {
            CaptureRing& ring = *capture_->rings[worker];
            const CaptureRing::Record* const record = ring.front();
            if (record == nullptr) break;
            any = true;
            const auto since = static_cast<double>(static_cast<std::int64_t>(record->cycles - capture_began_.first));
            const auto nanoseconds = static_cast<std::int64_t>(since * nanoseconds_per_cycle);
            const std::string port = port_name(record->port);
            capture_listener_({.hook = record->hook,
                               .way = record->way,
                               .port = port,
                               .unix_nanoseconds = capture_began_.second + static_cast<std::uint64_t>(nanoseconds),
                               .octets = std::span{record->data}.first(record->octets),
                               .original_octets = record->original_octets,
                               .drop = record->drop == Drop::none ? std::string_view{} : info(record->drop).name,
                               .lost = lost});
            ring.drop_front();
        }
    return any;
}

}  // namespace torii
