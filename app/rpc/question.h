// The words of `torii explain` made into the packet they mean. Control thread.
#pragma once

#include <string_view>

#include "base/error.h"
#include "control/explanation.h"

namespace torii::rpc {

/// What was typed; empty fields were not.
struct QuestionText {
    std::string_view source, destination;  // "10.0.1.5", or with a port "10.0.1.5[110]"
    std::string_view protocol;             // a name or number; empty: an ICMP echo request
    std::string_view ports;                // "80", "4000,80"; of ICMP the type, or "8,0"
    std::string_view port;                 // a port of the gateway's
};

/// Errc::bad_syntax names the word that is not understood. Ports that were not given are ephemeral ones.
Result<control::Question> parse_question(const QuestionText& text);

}  // namespace torii::rpc
