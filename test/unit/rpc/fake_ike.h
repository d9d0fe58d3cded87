// An IKE daemon for the tests of the control socket: one connection that stands with its child, one that does not, and
// a note of what was asked.
#pragma once

#include "app/rpc/ike_control.h"

namespace torii::test {

class FixedIke : public rpc::IkeControl {
public:
    std::vector<rpc::IkeStatus> list() const override {
        rpc::IkeStatus newyork{.connection = "newyork",
                               .number = 7,
                               .state = "established",
                               .initiator = true,
                               .local = "20.0.0.1",
                               .remote = "20.0.0.2",
                               .local_port = 4500,
                               .remote_port = 61234,
                               .remote_nat = true,
                               .local_id = "tokyo.example.com",
                               .remote_id = "newyork.example.com",
                               .local_auth = "psk",
                               .remote_auth = "psk",
                               .initiator_spi = 0x0123456789abcdef,
                               .responder_spi = 0xff,
                               .suite = "aes128gcm16-prfsha256-x25519",
                               .age_seconds = 61,
                               .rekey_in_seconds = 14000,
                               .silent_seconds = 2,
                               .children = 1};
        return {newyork, {.connection = "osaka", .state = "none", .local = "any", .remote = "20.0.0.3"}};
    }
    std::vector<rpc::IkeChildStatus> children() const override {
        return {{.connection = "newyork",
                 .name = "offices",
                 .number = 9,
                 .ike = 7,
                 .state = "installed",
                 .protocol = "esp",
                 .mode = "tunnel",
                 .in_udp = true,
                 .inbound_spi = 0x1002,
                 .outbound_spi = 0x1001,
                 .suite = "aes128gcm16-noesn",
                 .local = {"10.0.1.0/24"},
                 .remote = {"10.0.2.0/24", "10.0.3.0/24"},
                 .age_seconds = 60,
                 .rekey_in_seconds = 3500,
                 .ends_in_seconds = 4260,
                 .inbound_packets = 12,
                 .outbound_packets = 3456}};
    }
    std::vector<rpc::IkeLogLine> log(std::string_view connection, std::size_t most) const override {
        asked = std::string{connection} + " " + std::to_string(most);
        return {{1'800'000'000'123, "error", "newyork", 7, "the peer's key is wrong"}};
    }
    void tell_to(std::function<void(const rpc::IkeLogLine&)> to) override { hear = std::move(to); }
    Result<std::string> up(std::string_view name) override { return deed("up", name); }
    Result<std::string> down(std::string_view name) override { return deed("down", name); }
    Result<std::string> rekey(std::string_view name) override { return deed("rekey", name); }
    Result<std::string> reauth(std::string_view name) override { return deed("reauth", name); }
    Result<std::string> move(std::string_view name, std::string_view address) override {
        return deed("move to " + std::string{address}, name);
    }

    mutable std::string asked;
    std::function<void(const rpc::IkeLogLine&)> hear;

private:
    Result<std::string> deed(std::string_view what, std::string_view name) {
        asked = std::string{what} + " " + std::string{name};
        if (name == "kyoto") return fail(Errc::not_found, "there is no connection kyoto: newyork, osaka");
        return "begun: " + asked;
    }
};

}  // namespace torii::test
