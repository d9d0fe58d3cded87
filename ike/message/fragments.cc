#include "ike/message/fragments.h"

#include <utility>

namespace torii::ike {

FragmentAssembly::Taken FragmentAssembly::add(std::uint32_t message_id, std::uint16_t number, std::uint16_t total,
                                              PayloadType first, Octets payloads, Octets front) {
    if (number == 0 || number > total || total > most_fragments) return Taken::refused;
    const bool same_message = total_ != 0 && message_id == message_id_;
    // The sender cuts smaller once it has learnt of a smaller path: what it sent before is of no more use (2.6).
    if (same_message && total < total_) return Taken::refused;
    if (!same_message || total > total_) {
        clear();
        message_id_ = message_id;
        total_ = total;
        parts_.resize(total);
    }
    auto& part = parts_[number - 1u];
    if (part) return Taken::duplicate;
    if (payloads.size() > most_octets - octets_) return Taken::refused;
    octets_ += payloads.size();
    part = std::move(payloads);
    if (number == 1) {
        first_ = first;
        front_ = std::move(front);
    }
    return ++there_ == total_ ? Taken::complete : Taken::waiting;
}

FragmentAssembly::Whole FragmentAssembly::take() {
    Whole out;
    if (total_ != 0 && there_ == total_) {
        out.first = first_;
        out.front = std::move(front_);
        out.payloads.reserve(octets_);
        for (const auto& part : parts_) out.payloads.insert(out.payloads.end(), part->begin(), part->end());
    }
    clear();
    return out;
}

void FragmentAssembly::clear() {
    message_id_ = 0;
    total_ = there_ = 0;
    octets_ = 0;
    first_ = PayloadType::none;
    front_.clear();
    parts_.clear();
}

}  // namespace torii::ike
