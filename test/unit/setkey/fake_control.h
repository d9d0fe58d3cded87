// A ControlPlane of two plain lists, for the front doors' tests: transactional like the gateway, and without packets.
#pragma once

#include <algorithm>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "control/control_plane.h"

namespace torii::test {

class FakeControl : public control::ControlPlane {
public:
    struct Sa {
        control::SaSpec spec;
        control::SaState state = control::SaState::mature;
        std::uint64_t sequence = 0, octets = 0, packets = 0;
        std::int64_t created = 0, last_used = 0;
    };

    std::list<Sa> sas;
    std::vector<Policy> policies;  // in order of addition
    std::size_t transactions = 0;  // applied
    std::uint32_t next_policy_id = 1;

    std::shared_ptr<void> hold() override { return nullptr; }
    void expect(Spi) override {}
    Result<std::vector<control::Outcome>> apply(std::vector<control::Located> transaction) override {
        if (auto possible = check(transaction); !possible) return std::unexpected(possible.error());
        std::vector<control::Outcome> outcomes;
        for (auto& located : transaction)
            outcomes.push_back(std::visit([&](auto& operation) { return perform(operation); }, located.operation));
        ++transactions;
        return outcomes;
    }
    void each_sa(const std::function<bool(const control::SaView&)>& visit) const override {
        for (const Sa& sa : sas)
            if (!visit(view(sa))) return;
    }
    Result<void> with_sa(const control::SaId& id,
                         const std::function<void(const control::SaView&)>& visit) const override {
        const auto found = std::ranges::find_if(sas, [&](const Sa& sa) { return sa.spec.id == id; });
        if (found == sas.end()) return fail(Errc::not_found, "there is no such SA");
        visit(view(*found));
        return {};
    }
    void each_policy(const std::function<bool(const control::PolicyView&)>& visit) const override {
        for (const auto direction : {Direction::inbound, Direction::outbound})
            for (const Policy& policy : policies)
                if (policy.direction == direction && !visit({policy})) return;
    }

    std::shared_ptr<void> listen(Listener) override { return {}; }
    std::vector<control::SettingStatus> settings() const override { return {}; }
    Result<void> set(std::string_view, std::string_view) override { return {}; }
    std::vector<control::PortStatus> ports() const override { return {}; }
    std::vector<control::RouteStatus> routes() const override { return {}; }
    std::vector<control::NeighbourStatus> neighbours() const override { return {}; }
    std::vector<control::DropStatus> drops() const override { return {}; }
    std::vector<control::WorkerStatus> workers() const override { return {}; }
    std::vector<control::CryptoStatus> crypto() const override { return {}; }
    control::VersionStatus version() const override { return {}; }
    std::vector<std::string> exemptions() const override { return {}; }
    Result<std::shared_ptr<void>> capture(control::CaptureHooks, control::CaptureListener) override {
        return fail(Errc::unsupported);
    }
    std::vector<control::FilterStatus> filter() const override { return {}; }
    std::vector<control::StatStatus> stats() const override { return {}; }
    Result<std::shared_ptr<void>> receive_ike(control::IkeReceiver) override { return fail(Errc::unsupported); }
    Result<void> send_ike(const control::IkeDatagram&) override { return fail(Errc::unsupported); }
    Result<control::Explanation> explain(const control::Question&) const override { return fail(Errc::unsupported); }

private:
    static control::SaView view(const Sa& sa) {
        control::SaView view{sa.spec};
        view.state = sa.state;
        view.sequence = sa.sequence;
        view.octets = sa.octets;
        view.packets = sa.packets;
        view.created_unix_seconds = sa.created;
        view.last_used_unix_seconds = sa.last_used;
        return view;
    }

    /// Walks the operations over the names alone, so that a refused transaction has touched nothing.
    Result<void> check(const std::vector<control::Located>& transaction) const {
        std::vector<control::SaId> ids;
        for (const Sa& sa : sas) ids.push_back(sa.spec.id);
        for (const auto& [operation, where] : transaction) {
            if (std::holds_alternative<control::FlushSas>(operation)) ids.clear();
            if (const auto* remove = std::get_if<control::DeleteSa>(&operation))
                if (std::erase(ids, remove->id) == 0) return fail(Errc::not_found, where + ": there is no such SA");
            if (const auto* add = std::get_if<control::AddSa>(&operation)) {
                if (std::ranges::find(ids, add->spec.id) != ids.end())
                    return fail(Errc::exists, where + ": this SA is there already");
                ids.push_back(add->spec.id);
            }
        }
        return {};
    }

    control::Outcome perform(control::AddSa& add) {
        sas.push_back({std::move(add.spec)});
        return {};
    }
    control::Outcome perform(control::UpdateSa& update) {
        for (Sa& sa : sas)
            if (sa.spec.id == update.spec.id) sa.spec = std::move(update.spec);
        return {};
    }
    control::Outcome perform(control::MoveSa& move) {
        for (Sa& sa : sas)
            if (sa.spec.id == move.id) {
                sa.spec.id.source = move.source;
                sa.spec.id.destination = move.destination;
                sa.spec.udp = move.udp;
            }
        return {};
    }
    control::Outcome perform(control::GetSpi& get) {
        control::SaSpec spec;
        spec.id = get.id;
        if (spec.id.spi == control::Spi{0}) spec.id.spi = control::Spi{0x1234};
        sas.push_back({std::move(spec), control::SaState::larval});
        return {sas.back().spec.id.spi, {}, 0};
    }
    control::Outcome perform(control::DeleteSa& remove) {
        return {{}, {}, std::erase_if(sas, [&](const Sa& sa) { return sa.spec.id == remove.id; })};
    }
    control::Outcome perform(control::DeleteAllSas& remove) {
        return {{}, {}, std::erase_if(sas, [&](const Sa& sa) {
                    return sa.spec.id.source == remove.source && sa.spec.id.destination == remove.destination;
                })};
    }
    control::Outcome perform(control::FlushSas& flush) {
        return {{}, {}, std::erase_if(sas, [&](const Sa& sa) {
                    return !flush.protocol || sa.spec.id.protocol == *flush.protocol;
                })};
    }
    control::Outcome perform(control::AddPolicy& add) {
        add.policy.id = PolicyId{next_policy_id++};
        policies.push_back(std::move(add.policy));
        return {{}, policies.back().id, 0};
    }
    control::Outcome perform(control::UpdatePolicy& update) {
        perform(control::DeletePolicy{update.policy.direction, update.policy.selector});
        control::AddPolicy add{std::move(update.policy)};
        return perform(add);
    }
    control::Outcome perform(const control::DeletePolicy& remove) {
        return {{}, {}, std::erase_if(policies, [&](const Policy& policy) {
                    return policy.direction == remove.direction && policy.selector == remove.selector;
                })};
    }
    static control::Outcome perform(control::ChangeFilter&) { return {}; }
    control::Outcome perform(control::FlushPolicies&) {
        const auto removed = policies.size();
        policies.clear();
        return {{}, {}, removed};
    }
    control::Outcome perform(control::DeleteSocketPolicy& op) {
        return {{}, {}, std::erase_if(policies, [&](const Policy& policy) { return policy.id == op.policy; })};
    }
};

}  // namespace torii::test
