#include "policy/policy.h"

namespace torii {

std::string_view name_of(Direction direction) { return direction == Direction::inbound ? "in" : "out"; }

std::string_view name_of(PolicyAction action) {
    switch (action) {
        case PolicyAction::discard: return "discard";
        case PolicyAction::bypass: return "bypass";
        case PolicyAction::protect: return "protect";
    }
    return "unknown";
}

std::string_view name_of(Mode mode) {
    switch (mode) {
        case Mode::any: return "any";
        case Mode::transport: return "transport";
        case Mode::tunnel: return "tunnel";
    }
    return "unknown";
}

std::string_view name_of(IpsecProtocol protocol) {
    switch (protocol) {
        case IpsecProtocol::esp: return "esp";
        case IpsecProtocol::ah: return "ah";
        case IpsecProtocol::ipcomp: return "ipcomp";
    }
    return "unknown";
}

std::string_view name_of(Level level) {
    switch (level) {
        case Level::system_default: return "default";
        case Level::use: return "use";
        case Level::require: return "require";
        case Level::unique: return "unique";
    }
    return "unknown";
}

std::string_view name_of(PolicyOwner owner) {
    switch (owner) {
        case PolicyOwner::privileged_socket: return "privileged socket";
        case PolicyOwner::spd: return "spd";
        case PolicyOwner::socket: return "socket";
    }
    return "";
}

std::string_view name_of(Padding padding) {
    switch (padding) {
        case Padding::sequential: return "sequential";
        case Padding::random: return "random";
        case Padding::zero: return "zero";
    }
    return "unknown";
}

Match matches(const Policy& policy, const PacketSelector& packet) {
    if (policy.selector.tag.empty()) return matches(policy.selector, packet);
    return policy.tag != Tag::none && policy.tag == packet.tag ? Match::yes : Match::no;
}

std::string_view near_miss(const Policy& policy, const PacketSelector& packet) {
    if (policy.selector.tag.empty()) return near_miss(policy.selector, packet);
    return matches(policy, packet) == Match::yes ? "" : "tag";
}

}  // namespace torii
