// A whole IKEv2 engine under a peer's hands: messages of a true life that are changed, and whatever payloads one likes
// sealed with the peer's own keys, so that everything behind the ICV is reached too. Whatever comes, the gateway takes
// every change that the engine asks for, both agree on which SAs there are, and no limit is passed.
#include <cstdint>
#include <cstdlib>

#include "../unit/ike/v2/world.h"
#include "base/reader.h"
#include "ike/message/message.h"

namespace {

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

void want(bool good) {
    if (!good) std::abort();
}

class Attack {
public:
    /// `steps`: how far the true life has come before. `hybrid`: with additional key exchanges (RFC 9370).
    Attack(unsigned steps, bool hybrid) {
        auto his = connection(1, 2), ours = connection(2, 1);
        if (hybrid)
            for (auto* const connection : {his.get(), ours.get()}) {
                connection->proposals = {
                    *parse_ike_proposal("aes128gcm16-prfsha256-x25519-ke1_ecp256", LegacyAlgorithms::refused)};
                connection->children[0].proposals.push_back(*parse_child_proposal(
                    ProtocolId::esp, "aes128gcm16-x25519-ke1_ecp256-ke2_x25519", LegacyAlgorithms::refused));
            }
        his->request_address = true;
        ours->pools = {*Prefix::parse("10.9.0.0/29"), *Prefix::parse("2001:db8:9::/125")};
        for (auto* const connection : {his.get(), ours.get()}) {  // what he says of PPKs is looked at, too
            connection->ppk = PpkUse::prefer;
            connection->ppk_id = *parse_ppk_id("offices");
            connection->postquantum_keys = std::make_shared<PostquantumKeys>(
                *PostquantumKeys::parse("offices 0123456789abcdef0123456789abcdef", "ppk.txt"));
        }
        his->mobike = ours->mobike = his->children[0].ipcomp = ours->children[0].ipcomp = true;
        world_.add("peer", config_of({his}));
        ours->children[0].proposals.push_back(
            *parse_child_proposal(ProtocolId::esp, "aes128gcm16-x25519", LegacyAlgorithms::refused));
        world_.add("victim", config_of({ours}));
        world_.perform(world_[0], *world_[0].engine->up("to-2", world_.now()));
        for (unsigned i = 0; i < steps; ++i) world_.step(world_.clock + Instant{100});
        life_ = world_.record;
        world_[0].engine->each([&](const IkeSa& sa) {
            if (sa.sealing == nullptr) return;
            mine_ = sa.spi_initiator, his_ = sa.spi_responder;
            sealing_ = *MessageCipher::make(*world_[0].crypto, sa.suite, sa.keys.ei.octets(), sa.keys.ai.octets());
        });
        world_.flights.clear();
        world_[0].up = false;
    }

    /// One message of the true life, with octets of it replaced.
    void changed(Reader in) {
        const auto which = in.u8();
        if (!which || life_.empty()) return;
        Datagram datagram = life_[*which % life_.size()];
        while (in.size() >= 3) datagram.octets[*in.u16() % datagram.octets.size()] = std::byte{*in.u8()};
        take({{address_of(2), datagram.local.port}, {address_of(1), datagram.remote.port}, datagram.octets});
    }

    /// Payloads under the peer's keys: a request that is due or, with `response`, the answer to what is asked of him.
    void sealed(Reader in, bool response) {
        const IkeSa* sa = nullptr;
        world_[1].engine->each([&](const IkeSa& each) { sa = each.spi_responder == his_ ? &each : sa; });
        const auto kind = in.u8(), first = in.u8();
        if (!kind || !first || sa == nullptr || sealing_ == nullptr) return;
        Header header;
        header.initiator_spi = mine_;
        header.responder_spi = his_;
        header.exchange = (*kind & 0x10) == 0 ? ExchangeType{static_cast<std::uint8_t>(35 + *kind % 3)}
                          : (*kind & 1) == 0  ? ExchangeType::ike_intermediate
                                              : ExchangeType::ike_followup_ke;
        header.message_id = sa->expected_request - (*kind >> 7);
        header.from_initiator = true;
        header.response = response;
        if (response && sa->outstanding) {
            header.exchange = sa->outstanding->exchange;
            header.message_id = sa->outstanding->message_id;
        }
        const auto datagrams = [&]() -> std::vector<Octets> {
            if ((*kind & 0x40) != 0)
                if (auto cut = sealing_->seal_fragments(header, PayloadType{*first}, in.rest(), 256)) return *cut;
            return {*sealing_->seal(header, PayloadType{*first}, in.rest())};
        }();
        // from where he was, or from elsewhere
        const Endpoint local = sa->local, peer = (*kind & 0x20) != 0 ? Endpoint{address_of(51), 4500} : sa->remote;
        for (const Octets& octets : datagrams) take({local, peer, octets});
    }

    /// Time passes, or the operator does something.
    void meanwhile(Reader in) {
        const auto what = in.u8();
        if (!what) return;
        Result<Actions> actions{Actions{}};
        switch (*what & 7) {
            case 0: actions = world_[1].engine->rekey("to-1", world_.now()); break;
            case 1: actions = world_[1].engine->rekey("offices-1", world_.now()); break;
            case 2: actions = world_[1].engine->down("offices-1", world_.now()); break;
            case 3: actions = world_[1].engine->down("to-1", world_.now()); break;
            case 4: actions = world_[1].engine->up("offices-1", world_.now()); break;
            default: world_.run(Instant{1ll << (*what >> 4)}); break;
        }
        if (actions) world_.perform(world_[1], std::move(*actions));
        check();
    }

private:
    void take(const Datagram& datagram) {
        world_.perform(world_[1], world_[1].engine->receive(datagram, world_.now()));
        world_.flights.clear();
        check();
    }

    void check() {
        Node& victim = world_[1];
        want(!victim.said("SAD:"));
        std::size_t sas = 0;
        victim.engine->each([&](const IkeSa& sa) {
            want(sa.children.size() <= EngineLimits{}.children_per_ike_sa);
            want(sa.queue.size() <= EngineLimits{}.queued_requests);
            want(sa.awaited.size() <= 4);
            want(sa.state == IkeState::established || sa.children.empty());
            want(sa.internal_addresses.size() <= 2);
            want(sa.state == IkeState::established || sa.state == IkeState::rekeyed || sa.internal_addresses.empty());
            for (const auto& child : sa.children) {
                sas += child->inbound_up + child->outbound_up;
                if (child->ipcomp) sas += child->ipcomp->inbound_up + child->ipcomp->outbound_up;
            }
        });
        want(victim.sad.size() == sas);
    }

    World world_{1};
    std::vector<Datagram> life_;
    IkeSpi mine_{}, his_{};
    std::unique_ptr<MessageCipher> sealing_;
};

}  // namespace

/// One octet of how far the life has come, and in its highest bit of which life, then records: what it is, its length
/// in two octets, and so many octets.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    Reader in{std::as_bytes(std::span{octets, count})};
    const auto steps = in.u8();
    if (!steps || count > 8192) return 0;
    const bool hybrid = (*steps & 0x80) != 0;
    Attack attack{*steps % 8u + (hybrid ? 2 : 0), hybrid};
    for (;;) {
        const auto kind = in.u8();
        const auto size = in.u16();
        if (!kind || !size) return 0;
        const auto body = in.take(std::min<std::size_t>(*size, in.size()));
        switch (*kind & 3) {
            case 0: attack.changed(Reader{*body}); break;
            case 1: attack.sealed(Reader{*body}, false); break;
            case 2: attack.sealed(Reader{*body}, true); break;
            default: attack.meanwhile(Reader{*body});
        }
    }
}
