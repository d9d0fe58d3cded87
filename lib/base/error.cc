#include "base/error.h"

namespace torii {

std::string_view name_of(Errc code) {
    switch (code) {
        case Errc::truncated: return "truncated";
        case Errc::trailing: return "trailing";
        case Errc::bad_value: return "bad_value";
        case Errc::bad_syntax: return "bad_syntax";
        case Errc::bad_key_length: return "bad_key_length";
        case Errc::unsupported: return "unsupported";
        case Errc::exists: return "exists";
        case Errc::not_found: return "not_found";
        case Errc::no_room: return "no_room";
        case Errc::denied: return "denied";
        case Errc::io: return "io";
        case Errc::timed_out: return "timed_out";
        case Errc::internal: return "internal";
    }
    return "unknown";
}

Error Error::in(std::string_view where) && {
    std::string told{where};
    if (!message.empty()) told.append(": ").append(message);
    return {code, std::move(told)};
}

std::string Error::text() const {
    std::string out = message;
    if (!out.empty()) out += ' ';
    return out.append("[").append(name_of(code)).append("]");
}

}  // namespace torii
