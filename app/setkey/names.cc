#include "app/setkey/names.h"

#include <algorithm>
#include <iterator>

namespace torii::setkey {
namespace {

struct ProtocolName {
    std::uint8_t number;
    std::string_view name;  // the first of a number is the one that is printed
};
constexpr ProtocolName protocol_names[] = {
    {1, "icmp"},   {2, "igmp"},    {4, "ipv4"},   {4, "ip4"},    {4, "ipencap"},   {6, "tcp"},   {17, "udp"},
    {33, "dccp"},  {41, "ipv6"},   {46, "rsvp"},  {47, "gre"},   {50, "esp"},      {51, "ah"},   {58, "ipv6-icmp"},
    {58, "icmp6"}, {58, "icmpv6"}, {88, "eigrp"}, {89, "ospf"},  {97, "etherip"},  {103, "pim"}, {108, "ipcomp"},
    {112, "vrrp"}, {112, "carp"},  {115, "l2tp"}, {132, "sctp"}, {136, "udplite"},
};

struct ServiceName {
    std::uint16_t port;
    std::string_view name;
};
constexpr ServiceName service_names[] = {
    {20, "ftp-data"},      {21, "ftp"},
    {22, "ssh"},           {23, "telnet"},
    {25, "smtp"},          {53, "domain"},
    {67, "bootps"},        {68, "bootpc"},
    {69, "tftp"},          {80, "http"},
    {110, "pop3"},         {111, "sunrpc"},
    {123, "ntp"},          {143, "imap"},
    {161, "snmp"},         {179, "bgp"},
    {389, "ldap"},         {443, "https"},
    {445, "microsoft-ds"}, {500, "isakmp"},
    {514, "syslog"},       {993, "imaps"},
    {995, "pop3s"},        {1701, "l2tp"},
    {2049, "nfs"},         {3389, "ms-wbt-server"},
    {4500, "ipsec-nat-t"},
};

}  // namespace

std::optional<std::uint8_t> protocol_named(std::string_view name) {
    const auto* const row = std::ranges::find(protocol_names, name, &ProtocolName::name);
    return row == std::end(protocol_names) ? std::nullopt : std::optional{row->number};
}

std::optional<std::uint16_t> service_named(std::string_view name) {
    const auto* const row = std::ranges::find(service_names, name, &ServiceName::name);
    return row == std::end(service_names) ? std::nullopt : std::optional{row->port};
}

std::string protocol_text(std::optional<std::uint8_t> protocol) {
    if (!protocol) return "255(reserved)";
    const auto* const row = std::ranges::find(protocol_names, *protocol, &ProtocolName::number);
    const auto number = std::to_string(*protocol);
    return row == std::end(protocol_names) ? number : number + "(" + std::string{row->name} + ")";
}

}  // namespace torii::setkey
