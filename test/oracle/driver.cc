// A gateway that obeys lines: the half of the oracle that is ours. It is the office VPN's tokyo side of both families
// on two wires (port 0 the office, port 1 the world) and, when it is started as `oracle-driver host`, the machine's own
// stack on a third, with nothing in its databases and clear text let through where no policy says
// otherwise. test/oracle/run speaks to it: each line is a command, each command has one line as its answer.
//
//   setkey TEXT       applies TEXT                           -> done
//   send PORT HEX...  frames that arrive on PORT             -> done
//   turn N            N turns of the worker and the control  -> done
//   sent PORT         what has left by PORT since last asked -> HEX...
//   drops             every reason that has a count          -> NAME=COUNT...
//   missing           buffers that nobody has any more       -> COUNT
//   quit              ends the program                       (no answer)
//
// Whatever it does not understand ends it with a word on standard error: its caller is a program with a defect then.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "test/unit/gateway/office6.h"

using namespace torii;
using namespace torii::test;

namespace {

[[noreturn]] void give_up(const std::string& what) {
    std::fprintf(stderr, "oracle-driver: %s\n", what.c_str());
    std::exit(1);
}

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    give_up(std::string{"no hex digit: "} + c);
}

Frame frame_of(const std::string& hex) {
    if (hex.size() % 2 != 0) give_up("half an octet in " + hex);
    Frame frame;
    for (std::size_t i = 0; i < hex.size(); i += 2)
        frame.push_back(static_cast<std::byte>(digit(hex[i]) << 4 | digit(hex[i + 1])));
    return frame;
}

std::string hex_of(const Frame& frame) {
    std::string hex;
    for (const std::byte octet : frame) {
        hex += "0123456789abcdef"[std::to_integer<unsigned>(octet) >> 4];
        hex += "0123456789abcdef"[std::to_integer<unsigned>(octet) & 15];
    }
    return hex;
}

std::size_t number_in(std::istream& words, std::size_t most) {
    std::size_t number = 0;
    if (!(words >> number) || number > most) give_up("a number of 0 to " + std::to_string(most) + " is missing");
    return number;
}

constexpr std::size_t host_port = 2;

Configuration configuration(bool with_host) {
    Configuration c = office6_configuration();
    c.default_policy = PolicyAction::bypass;
    if (with_host) c.ports.push_back({.name = "host", .device = "", .addresses = {}, .role = PortRole::host_port});
    for (PortConfiguration& port : c.ports) port.mtu = 1600;  // 1,400 octets fit with any suite's headers
    return c;
}

std::string obey(Wires& tokyo, const std::string& command, std::istream& words) {
    std::string answer;
    if (command == "setkey") {
        std::string text;
        std::getline(words, text);
        tokyo.setkey(text);
    } else if (command == "send") {
        const std::size_t port = number_in(words, host_port);
        for (std::string hex; words >> hex;)
            if (!tokyo.send(port, frame_of(hex))) give_up("the wire is full");
    } else if (command == "turn") {
        tokyo.turn(static_cast<unsigned>(number_in(words, 1000)));
    } else if (command == "sent") {
        for (const Frame& frame : tokyo.sent_by(number_in(words, host_port))) answer += hex_of(frame) + ' ';
        return answer;
    } else if (command == "drops") {
        for (const control::DropStatus& drop : tokyo.gateway().drops())
            if (drop.total != 0) answer += drop.reason + '=' + std::to_string(drop.total) + ' ';
        return answer;
    } else if (command == "missing") {
        return std::to_string(tokyo.buffers_missing());
    } else {
        give_up("no command: " + command);
    }
    return "done";
}

}  // namespace

int main(int count, char** arguments) {
    start_test_eal(1);
    Wires tokyo{configuration(count > 1 && std::string_view{arguments[1]} == "host")};
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words{line};
        std::string command;
        words >> command;
        if (command == "quit") break;
        std::cout << obey(tokyo, command, words) << std::endl;
    }
}
