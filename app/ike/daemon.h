// IKE in this gateway: the engine of ike/v2 between the control seam, the event loop and the control socket. What comes
// in, a message, an event, an order or a timer, is handed to the engine, and what it asks for is done. Control thread.
#pragma once

#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/event_loop.h"
#include "app/ike/inbox.h"
#include "app/ike/tell_limit.h"
#include "app/rpc/ike_control.h"
#include "control/control_plane.h"
#include "ike/v2/engine.h"

namespace torii {

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

class IkeDaemon final : public rpc::IkeControl, private ike::Traffic {
public:
    /// Everything is borrowed and outlives it. Policies of traps stand when this returns. `key_log`: a file for
    /// Wireshark, with the keys of every IKE SA; empty: none. Errors: exists, somebody receives IKE's messages already;
    /// io, the key log cannot be opened; denied, others may read it.
    static Result<std::unique_ptr<IkeDaemon>> start(control::ControlPlane& control, EventLoop& loop,
                                                    ike::CryptoContext& crypto, ike::EngineConfig config,
                                                    const std::string& key_log);
    ~IkeDaemon() override;

    /// Connections that are as they were go on.
    void reload(ike::EngineConfig config);
    /// Tells every peer, and takes everything away. Nothing comes in any more.
    void shut_down();
    /// Whether an SA or a policy is IKE's: what an operator's file replaces are his own.
    bool owns(const control::SaId& sa) const { return engine_.owns(sa); }
    bool owns(const Policy& policy) const { return engine_.owns(policy); }

    std::vector<rpc::IkeStatus> list() const override;
    std::vector<rpc::IkeChildStatus> children() const override;
    std::vector<rpc::IkeLogLine> log(std::string_view connection, std::size_t most) const override;
    void tell_to(std::function<void(const rpc::IkeLogLine&)> hear) override { hear_ = std::move(hear); }
    Result<std::string> up(std::string_view name) override;
    Result<std::string> down(std::string_view name) override;
    Result<std::string> rekey(std::string_view name) override;
    Result<std::string> reauth(std::string_view name) override;
    Result<std::string> move(std::string_view name, std::string_view address) override;

private:
    IkeDaemon(control::ControlPlane& control, EventLoop& loop, ike::CryptoContext& crypto, ike::EngineConfig config)
        : control_(control), loop_(loop), engine_(crypto, std::move(config), *this) {}
    std::uint64_t packets(const control::SaId& sa) const override;
    ike::Now now() const;
    /// Until it goes, what is applied takes effect together, and what is to be sent waits for that.
    class Burst {
    public:
        explicit Burst(IkeDaemon& daemon);
        ~Burst();
        Burst(const Burst&) = delete;

    private:
        IkeDaemon& daemon_;
        std::shared_ptr<void> held_;
    };
    bool take(const control::IkeDatagram& datagram);
    void take(const control::Event& event);
    void work_soon();
    void work();
    void do_what_is_due(EventLoop::Clock::time_point end);
    void take_in(const control::Event& event);
    void perform(ike::Actions actions);
    void perform(ike::Send& send);
    void send(const ike::Datagram& datagram);
    void perform(ike::Apply& apply);
    void perform(const ike::Expect& expect) { control_.expect(expect.spi); }
    void perform(ike::Tell& tell);
    void write_down(const ike::Tell& tell);
    void tell_left_out();
    void arm();
    Result<std::string> ordered(Result<ike::Actions> actions, std::string_view did, std::string_view name);

    control::ControlPlane& control_;
    EventLoop& loop_;
    ike::Engine engine_;
    std::shared_ptr<void> receiving_, listening_;
    /// What came while the gateway was in the middle of something; done on the loop's next turns.
    Inbox inbox_;
    std::deque<control::Event> events_;
    std::optional<control::Event> mismatch_;  // one at a time: whoever sends many has no other event's place
    std::uint64_t events_lost_ = 0;           // that nobody was told of yet
    ike::Instant tell_lost_at_{};             // not before: once a second
    std::optional<EventLoop::TimerId> work_, timer_;
    std::vector<ike::Datagram> outbox_;
    unsigned bursts_ = 0;
    bool applying_ = false;  // what listeners are told of is our own doing
    struct Kept {
        std::uint64_t number = 0;  // in the order in which they were told
        rpc::IkeLogLine line;
    };
    void keep(std::deque<Kept>& lines, std::size_t most, rpc::IkeLogLine line);
    std::deque<Kept> lines_, debug_lines_;
    TellLimit limit_;
    std::function<void(const rpc::IkeLogLine&)> hear_;
    std::uint64_t kept_ = 0;
    std::unique_ptr<std::FILE, CloseFile> key_log_;
};

}  // namespace torii
