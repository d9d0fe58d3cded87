#include "written.h"

#include <map>
#include <sstream>

namespace torii::test {

namespace {

std::uint8_t protocol_of(const std::string& word) {
    static const std::map<std::string, std::uint8_t> known{{"icmp", 1}, {"tcp", 6},    {"udp", 17},   {"gre", 47},
                                                           {"esp", 50}, {"icmp6", 58}, {"sctp", 132}, {"ip4", 4}};
    const auto found = known.find(word);
    return found != known.end() ? found->second : static_cast<std::uint8_t>(std::stoi(word));
}

PortRange range_of(const std::string& word) {
    if (word == "any") return PortRange::any();
    const auto dash = word.find('-');
    const auto low = static_cast<std::uint16_t>(std::stoi(word));
    return {low, dash == word.npos ? low : static_cast<std::uint16_t>(std::stoi(word.substr(dash + 1)))};
}

struct Words {
    std::string source, source_ports = "any", destination, destination_ports = "any", protocol;
};

/// Cuts "ADDRESS[PORTS]" in two.
void cut(const std::string& word, std::string& address, std::string& ports) {
    const auto bracket = word.find('[');
    address = word.substr(0, bracket);
    if (bracket != word.npos) ports = word.substr(bracket + 1, word.size() - bracket - 2);
}

Words words_of(const std::string& text) {
    Words out;
    std::istringstream in{text};
    std::string source, destination, type_and_code;
    in >> source >> destination >> out.protocol >> type_and_code;
    cut(source, out.source, out.source_ports);
    cut(destination, out.destination, out.destination_ports);
    if (const auto comma = type_and_code.find(','); comma != type_and_code.npos) {
        out.source_ports = type_and_code.substr(0, comma);
        out.destination_ports = type_and_code.substr(comma + 1);
    }
    return out;
}

}  // namespace

Selector rule(const std::string& text) {
    const Words words = words_of(text);
    Selector out;
    out.source = Prefix::parse(words.source).value();
    out.destination = Prefix::parse(words.destination).value();
    out.source_ports = range_of(words.source_ports);
    out.destination_ports = range_of(words.destination_ports);
    if (words.protocol != "any") out.protocol = protocol_of(words.protocol);
    return out;
}

PacketSelector packet(const std::string& text) {
    const Words words = words_of(text);
    PacketSelector out;
    out.source = Address::parse(words.source).value();
    out.destination = Address::parse(words.destination).value();
    out.protocol = protocol_of(words.protocol);
    out.ports_known = words.source_ports != "unknown";
    if (out.ports_known && words.source_ports != "any") {
        out.source_port = range_of(words.source_ports).low;
        out.destination_port = range_of(words.destination_ports).low;
    }
    return out;
}

}  // namespace torii::test
