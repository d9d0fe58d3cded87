#include <algorithm>

#include "app/config/read.h"
#include "app/config/settings.h"

namespace torii::config {
namespace {

constexpr std::size_t rows_shown = 8;  // of each kind: the whole fits one screen

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text;
}

/// A choice's value as the file spells it.
template <class Enumeration>
std::string word(std::string_view path, Enumeration value) {
    const auto choices = find_setting(path)->choices;
    return std::string{std::ranges::find(choices, static_cast<int>(value), &Choice::value)->name};
}

std::string gateway_row(const Configuration& c) {
    std::string cores;
    for (const unsigned core : c.cores) cores += (cores.empty() ? " on cores " : ", ") + std::to_string(core);
    return "gateway    " + c.name + ": " + std::to_string(c.workers) + (c.workers == 1 ? " worker" : " workers") +
           cores + ", polling " + word("gateway.polling", c.polling) + ", bursts of " + std::to_string(c.burst) + ", " +
           std::to_string(c.memory_megabytes) + " megabytes, " + std::to_string(c.mbufs) + " packets\n";
}

std::string port_row(const PortConfiguration& port) {
    std::string addresses;
    for (const auto& [address, length] : port.addresses)
        addresses += (addresses.empty() ? "" : ", ") + address.text() + "/" + std::to_string(length);
    return "port       " + padded(port.name, 10) + " " + padded(word("ports.[].role", port.role), 11) + " " +
           padded(addresses.empty() ? "no address" : addresses, 18) + " mtu " + padded(std::to_string(port.mtu), 4) +
           " " + (port.gif ? "gif " + port.gif->local.text() + "-" + port.gif->remote.text() : port.device) + "\n";
}

std::string route_row(const RouteConfiguration& route) {
    return "route      " + padded(route.destination.text(), 22) + " via " + route.via.text() + " at " + route.port +
           "\n";
}

std::string neighbour_row(const NeighbourConfiguration& neighbour) {
    return "neighbour  " + padded(neighbour.address.text(), 22) + " is " + neighbour.mac.text() + " at " +
           neighbour.port + "\n";
}

std::string end_text(const std::optional<Address>& end) { return end ? end->text() : "any"; }

std::string connection_row(const IkeConnectionForm& form) {
    std::string children;
    for (const IkeChildForm& child : form.children) children += (children.empty() ? "" : ", ") + child.child.name;
    const std::string ends = end_text(form.connection.local) + "-" + end_text(form.connection.remote);
    return "ike        " + padded(form.connection.name, 10) + " " + padded(ends, 22) + " auth " +
           word("ike.connections.[].auth", form.auth) + ": " + (children.empty() ? "no children" : children) + "\n";
}

template <class Element, class Row>
std::string rows(const std::vector<Element>& elements, std::string_view plural, Row row) {
    std::string out;
    for (std::size_t i = 0; i < std::min(elements.size(), rows_shown); ++i) out += row(elements[i]);
    if (elements.size() > rows_shown)
        out += "           and " + std::to_string(elements.size() - rows_shown) + " more " + std::string{plural} + "\n";
    return out;
}

std::string ipsec_rows(const Configuration& c) {
    const bool discard = c.default_policy == PolicyAction::discard;
    return "ipsec      packets no policy matches are " +
           std::string{discard ? "dropped (def_policy = discard)" : "passed in clear (def_policy = none)"} +
           "\n           default levels: esp transport " + word("ipsec.esp_trans_deflev", c.esp_trans_deflev) +
           ", esp tunnel " + word("ipsec.esp_net_deflev", c.esp_net_deflev) + ", ah transport " +
           word("ipsec.ah_trans_deflev", c.ah_trans_deflev) + ", ah tunnel " +
           word("ipsec.ah_net_deflev", c.ah_net_deflev) + "\n           of several SAs, the " +
           (c.prefer_old_sa ? "oldest" : "newest") + " sends\n" +
           (c.legacy ? "           legacy algorithms may be used\n" : "") + "setkey     " +
           (c.setkey_file.empty() ? "no file" : c.setkey_file) + "\n";
}

}  // namespace

std::string summary(const File& c) {
    return gateway_row(c) + rows(c.ports, "ports", port_row) + rows(c.routes, "routes", route_row) +
           rows(c.neighbours, "neighbours", neighbour_row) + ipsec_rows(c) +
           rows(c.ike.connections, "connections", connection_row) + "control    " + c.control_socket + "\nlog        " +
           (c.log_file.empty() ? "standard error" : c.log_file) + ", level " + c.log_level + "\ncrypto     " +
           (c.only_kernels.empty() ? "all kernels" : "kernels named *" + c.only_kernels + "*") +
           (c.time_kernels ? ", the fastest chosen" : ", the first chosen") + "\n";
}

}  // namespace torii::config
