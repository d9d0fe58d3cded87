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
    {1, "icmp"},
    {2, "igmp"},
    {3, "ggp"},
    {4, "ipv4"},
    {4, "ip4"},
    {4, "ipencap"},
    {5, "st"},
    {6, "tcp"},
    {8, "egp"},
    {9, "igp"},
    {12, "pup"},
    {17, "udp"},
    {20, "hmp"},
    {22, "xns-idp"},
    {27, "rdp"},
    {29, "iso-tp4"},
    {33, "dccp"},
    {36, "xtp"},
    {37, "ddp"},
    {38, "idpr-cmtp"},
    {41, "ipv6"},
    {45, "idrp"},
    {46, "rsvp"},
    {47, "gre"},
    {50, "esp"},
    {51, "ah"},
    {57, "skip"},
    {58, "ipv6-icmp"},
    {58, "icmp6"},
    {58, "icmpv6"},
    {59, "ipv6-nonxt"},
    {73, "rspf"},
    {81, "vmtp"},
    {88, "eigrp"},
    {89, "ospf"},
    {89, "ospfigp"},
    {93, "ax.25"},
    {94, "ipip"},
    {97, "etherip"},
    {98, "encap"},
    {103, "pim"},
    {108, "ipcomp"},
    {112, "vrrp"},
    {112, "carp"},
    {115, "l2tp"},
    {124, "isis"},
    {132, "sctp"},
    {133, "fc"},
    {135, "mobility-header"},
    {136, "udplite"},
    {137, "mpls-in-ip"},
    {138, "manet"},
    {139, "hip"},
    {140, "shim6"},
    {141, "wesp"},
    {142, "rohc"},
};

struct ServiceName {
    std::uint16_t port;
    std::string_view name;
};
constexpr ServiceName service_names[] = {
    {7, "echo"},
    {9, "discard"},
    {13, "daytime"},
    {19, "chargen"},
    {20, "ftp-data"},
    {21, "ftp"},
    {22, "ssh"},
    {23, "telnet"},
    {25, "smtp"},
    {37, "time"},
    {43, "whois"},
    {49, "tacacs"},
    {53, "domain"},
    {67, "bootps"},
    {68, "bootpc"},
    {69, "tftp"},
    {70, "gopher"},
    {79, "finger"},
    {80, "http"},
    {80, "www"},
    {88, "kerberos"},
    {110, "pop3"},
    {111, "sunrpc"},
    {113, "auth"},
    {119, "nntp"},
    {123, "ntp"},
    {137, "netbios-ns"},
    {138, "netbios-dgm"},
    {139, "netbios-ssn"},
    {143, "imap"},
    {143, "imap2"},
    {161, "snmp"},
    {162, "snmp-trap"},
    {162, "snmptrap"},
    {177, "xdmcp"},
    {179, "bgp"},
    {194, "irc"},
    {389, "ldap"},
    {427, "svrloc"},
    {443, "https"},
    {445, "microsoft-ds"},
    {464, "kpasswd"},
    {465, "submissions"},
    {500, "isakmp"},
    {512, "exec"},
    {513, "login"},
    {514, "shell"},
    {514, "syslog"},
    {515, "printer"},
    {520, "route"},
    {521, "ripng"},
    {543, "klogin"},
    {544, "kshell"},
    {546, "dhcpv6-client"},
    {547, "dhcpv6-server"},
    {548, "afpovertcp"},
    {554, "rtsp"},
    {587, "submission"},
    {631, "ipp"},
    {636, "ldaps"},
    {646, "ldp"},
    {853, "domain-s"},
    {860, "iscsi"},
    {873, "rsync"},
    {989, "ftps-data"},
    {990, "ftps"},
    {993, "imaps"},
    {995, "pop3s"},
    {1080, "socks"},
    {1194, "openvpn"},
    {1433, "ms-sql-s"},
    {1645, "datametrics"},
    {1701, "l2f"},
    {1701, "l2tp"},
    {1723, "pptp"},
    {1812, "radius"},
    {1813, "radius-acct"},
    {2049, "nfs"},
    {2628, "dict"},
    {3205, "isns"},
    {3260, "iscsi-target"},
    {3306, "mysql"},
    {3389, "ms-wbt-server"},
    {4500, "ipsec-nat-t"},
    {4789, "vxlan"},
    {5060, "sip"},
    {5061, "sip-tls"},
    {5222, "xmpp-client"},
    {5269, "xmpp-server"},
    {5353, "mdns"},
    {5432, "postgresql"},
    {5671, "amqps"},
    {5672, "amqp"},
    {5900, "rfb"},
    {6000, "x11"},
    {6379, "redis"},
    {8080, "http-alt"},
    {8883, "secure-mqtt"},
    {9418, "git"},
    {11211, "memcache"},
};

}  // namespace

/// In either case: /etc/protocols has TCP beside tcp.
std::optional<std::uint8_t> protocol_named(std::string_view name) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    const auto is_it = [&](const ProtocolName& row) { return std::ranges::equal(row.name, name, {}, {}, lower); };
    const auto* const row = std::ranges::find_if(protocol_names, is_it);
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
