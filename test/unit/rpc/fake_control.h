// A gateway for the tests of the control socket and of the command line: fixed tables, one SA with a key that must
// never be seen, two policies, and events on demand.
#pragma once

#include <algorithm>
#include <list>
#include <memory>
#include <vector>

#include "app/rpc/methods.h"
#include "control/control_plane.h"
#include "control/settings.h"

namespace torii::test {

inline constexpr std::string_view secret_key = "sixteen octets!!";

class FixedGateway : public control::ControlPlane {
public:
    FixedGateway() {
        sa_.id = {Address::v4(0x14000001), Address::v4(0x14000002), IpsecProtocol::esp, control::Spi{0x1001}};
        sa_.mode = Mode::tunnel;
        sa_.cipher = CipherId::aes_cbc;
        sa_.cipher_key = SecretBytes{std::as_bytes(std::span{secret_key})};
        sa_.auth = AuthId::hmac_sha256;
        sa_.auth_key = SecretBytes{std::as_bytes(std::span{secret_key})};
        for (const auto direction : {Direction::inbound, Direction::outbound}) {
            Policy policy;
            policy.id = PolicyId{static_cast<std::uint32_t>(policies_.size() + 1)};
            policy.direction = direction;
            policy.selector.source = Prefix::parse("10.0.1.0/24").value();
            policy.selector.destination = Prefix::parse("10.0.2.0/24").value();
            policy.action = PolicyAction::protect;
            policy.requests.push_back({IpsecProtocol::esp, Mode::tunnel, Level::require, ReqId{},
                                       Endpoints{sa_.id.source, sa_.id.destination}});
            policies_.push_back(policy);
        }
    }

    std::shared_ptr<void> hold() override { return nullptr; }
    void expect(Spi) override {}
    Result<std::vector<control::Outcome>> apply(std::vector<control::Located> transaction) override {
        if (transaction.size() == 1)
            if (const auto* const op = std::get_if<control::ChangeFilter>(&transaction[0].operation)) {
                filter_changes.push_back(*op);
                return std::vector<control::Outcome>{{.removed = 3, .filter_rule = 7}};
            }
        return fail(Errc::unsupported, "the fake gateway changes nothing");
    }
    void each_sa(const std::function<bool(const control::SaView&)>& visit) const override {
        for (unsigned i = 0; i < sas; ++i) {
            if (!visit({.spec = sa_, .sequence = 7, .octets = 840, .packets = 7})) return;
        }
    }
    Result<void> with_sa(const control::SaId&, const std::function<void(const control::SaView&)>&) const override {
        return fail(Errc::not_found);
    }
    void each_policy(const std::function<bool(const control::PolicyView&)>& visit) const override {
        for (const Policy& policy : policies_) {
            if (!visit({policy})) return;
        }
    }
    std::shared_ptr<void> listen(Listener listener) override {
        listeners_.push_back(std::move(listener));
        return {this, [this, at = std::prev(listeners_.end())](void*) { listeners_.erase(at); }};
    }
    void tell(const control::Event& event) const {
        for (const Listener& listener : listeners_) listener(event);
    }
    std::size_t listeners() const { return listeners_.size(); }

    std::vector<control::SettingStatus> settings() const override {
        std::vector<control::SettingStatus> out;
        for (const control::SettingInfo& info : control::setting_table())
            out.push_back({std::string{info.name}, info.text(live), info.text({}), info.right(),
                           std::string{info.meaning}, std::string{info.effect}});
        return out;
    }
    Result<void> set(std::string_view name, std::string_view value) override { return control::set(live, name, value); }
    std::vector<control::PortStatus> ports() const override {
        control::PortStatus wan{.name = "wan",
                                .device = "net_af_packet0,iface=wan",
                                .driver = "net_af_packet",
                                .role = "unprotected",
                                .mac = "02:00:00:00:00:01",
                                .addresses = {"20.0.0.1/24"}};
        wan.mtu = 1500;
        wan.link_up = true;
        wan.rx_packets = 1234567;
        control::PortStatus lan = wan;
        lan.name = "lan";
        lan.role = "protected";
        lan.addresses = {"10.0.1.1/24", "10.0.3.1/24"};
        return {wan, lan};
    }
    std::vector<control::RouteStatus> routes() const override {
        return {{"0.0.0.0/0", "20.0.0.2", "wan", "static"}, {"10.0.1.0/24", "", "lan", "connected"}};
    }
    std::vector<control::NeighbourStatus> neighbours() const override {
        return {{"20.0.0.2", "02:00:00:00:00:02", "wan", "reachable", 12, 0}};
    }
    std::vector<control::DropStatus> drops() const override {
        return {{"bad_icv", "Compare the keys of both ends.", bad_icv, {bad_icv}},
                {"unknown_spi", "Compare the SPIs of both ends.", 0, {0}}};
    }
    std::vector<control::WorkerStatus> workers() const override {
        return {{.index = 0, .lcore = 1, .core = 1, .polling = "adaptive", .packets = 42}};
    }
    std::vector<control::CryptoStatus> crypto() const override {
        return {{"aes-gcm-16 128", "ipsec-mb avx2 direct", "", true, true, 83.4, 460.2},
                {"aes-gcm-16 128", "openssl", "", true, false, 310, 900}};
    }
    control::VersionStatus version() const override {
        return {"0.1.0", "22.11.5", "2.0.0", "3.0.15", gateway_name, 93784, false};
    }
    std::vector<std::string> exemptions() const override { return {"ARP of the gateway itself passes."}; }
    Result<std::shared_ptr<void>> capture(control::CaptureHooks hooks, control::CaptureListener listener) override {
        if (capturing) return fail(Errc::exists, "a capture is on already: one at a time");
        capture_hooks = hooks;
        capturing = std::move(listener);
        return std::shared_ptr<void>{this, [](void* me) { static_cast<FixedGateway*>(me)->capturing = {}; }};
    }
    control::CaptureHooks capture_hooks;
    control::CaptureListener capturing;
    std::vector<control::FilterStatus> filter() const override {
        return {{"wire", 1, "block in on wan proto tcp from any to any port 25", 12, 720},
                {"wire", 0, "pass what no rule matches", 1000, 90000}};
    }
    std::vector<control::StatStatus> stats() const override {
        return {{"ipsec", "ipv4", "in_success", "inbound packets processed successfully", 12}};
    }
    Result<std::shared_ptr<void>> receive_ike(control::IkeReceiver) override { return fail(Errc::unsupported); }
    Result<void> send_ike(const control::IkeDatagram&) override { return fail(Errc::unsupported); }
    Result<control::Explanation> explain(const control::Question& question) const override {
        asked = question;
        control::Explanation out;
        out.steps = {{"packet", question.packet.text()}};
        out.spd.push_back({.direction = Direction::outbound,
                           .asked = true,
                           .action = PolicyAction::bypass,
                           .policies = 2,
                           .match = control::PolicyMention{PolicyId{2}, 2, "everything", ""},
                           .nearly = {{PolicyId{1}, 1, "nearly everything", "protocol"}}});
        return out;
    }
    mutable control::Question asked;
    std::vector<control::ChangeFilter> filter_changes;

    control::Settings live;
    unsigned sas = 1;
    std::uint64_t bad_icv = 5;
    std::string gateway_name = "tokyo";

private:
    control::SaSpec sa_;
    std::vector<Policy> policies_;
    std::list<Listener> listeners_;
};

/// A setkey language that tells what it was given.
inline rpc::Setkey fake_setkey() {
    return {
        .run = [](const rpc::SetkeyText& text, rpc::Keys) -> Result<rpc::SetkeyAnswer> {
            const std::string file{text.file};
            if (text.text.find("wrong") != std::string_view::npos) {
                const auto line = 1 + std::ranges::count(text.text.substr(0, text.text.find("wrong")), '\n');
                return fail(Errc::bad_syntax, file + ":" + std::to_string(line) + ": unknown statement at 'wrong'");
            }
            rpc::SetkeyAnswer answer;
            for (const std::string name : {"localhost", "no-such.invalid"}) {
                const auto known = text.hosts.find(name);
                if (text.text.find(name) != std::string_view::npos && known == text.hosts.end())
                    answer.unknown_hosts.push_back({name, file + ":1"});
                if (known != text.hosts.end())
                    for (const std::string& address : known->second) answer.output += name + " " + address + "\n";
            }
            if (!answer.unknown_hosts.empty()) return answer;
            if (!text.check) answer.statements = {{"flush", 1}};
            answer.output += (text.check     ? "checked "
                              : text.verbose ? "told of "
                                             : "ran ") +
                             std::string{text.text.substr(text.text.find_first_not_of('\n'))};
            if (text.readable_by_others) answer.warnings.push_back(file + " is readable by others");
            return answer;
        },
        .dump_sas = [](const rpc::Setkey::Dump& dump) -> Result<std::string> {
            if (dump.wireshark && dump.keys == rpc::Keys::redacted) return fail(Errc::denied, "keys are for root");
            return std::string{"20.0.0.1 20.0.0.2 E: aes-cbc"} + (dump.keys == rpc::Keys::shown ? " 73697874" : "") +
                   (dump.dead ? " dead" : "") + (dump.ports ? " ports" : "") + (dump.verbose ? " verbose" : "") + "\n";
        },
        .dump_policies = [](bool) { return std::string{"10.0.1.0/24[any] 10.0.2.0/24[any] any\n"}; },
    };
}

}  // namespace torii::test
