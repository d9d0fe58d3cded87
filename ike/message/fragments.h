// The fragments of an encrypted message put together again (RFC 7383 2.6). Each fragment has been opened and found
// authentic before it comes here, so what waits is the peer's own; it is bounded all the same. One for each direction
// of an IKE SA: a new message replaces what was left of the last one. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ike/message/message.h"

namespace torii::ike {

class FragmentAssembly {
public:
    static constexpr std::uint16_t most_fragments = 64;  // certificates of some 16 KiB at 576 octets a fragment
    static constexpr std::size_t most_octets = 64 * 1024;

    struct Whole {
        PayloadType first = PayloadType::none;
        Octets payloads;
        Octets front;  // of fragment 1, as it was given
    };
    enum class Taken : std::uint8_t { waiting, complete, duplicate, refused };

    /// Adds fragment `number` of `total` of message `message_id`. A larger `total` than before starts afresh, a
    /// smaller one is refused (2.6). `first` and `front`, what stood in front of it as a whole, count in fragment 1
    /// alone. After `complete`, take() has the message.
    Taken add(std::uint32_t message_id, std::uint16_t number, std::uint16_t total, PayloadType first, Octets payloads,
              Octets front = {});
    Whole take();
    void clear();

private:
    std::uint32_t message_id_ = 0;
    std::uint16_t total_ = 0, there_ = 0;
    std::size_t octets_ = 0;
    PayloadType first_ = PayloadType::none;
    Octets front_;
    std::vector<std::optional<Octets>> parts_;
};

}  // namespace torii::ike
