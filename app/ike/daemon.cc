#include "app/ike/daemon.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "app/ike/secret_file.h"
#include "app/log.h"
#include "ike/v2/traffic.h"

namespace torii {

namespace {

// Of the log that is kept for `torii show ike-log`; those of level debug, which are many, take no other's place.
constexpr std::size_t most_lines = 2000, most_debug_lines = 8000;
constexpr std::size_t most_events = 4096;  // that wait for the loop's next turn
// Public keys take their time, up to some milliseconds each: after so long the loop has its turn.
constexpr std::chrono::milliseconds longest_work{10};

std::string_view name_of(ike::Tell::Level level) {
    switch (level) {
        case ike::Tell::Level::debug: return "debug";
        case ike::Tell::Level::info: return "info";
        case ike::Tell::Level::warning: return "warning";
        case ike::Tell::Level::error: return "error";
        case ike::Tell::Level::keys: break;
    }
    return "?";
}

std::string_view word_of(ike::IkeState state) {
    switch (state) {
        case ike::IkeState::init_sent:
        case ike::IkeState::init_answered:
        case ike::IkeState::intermediate_sent:
        case ike::IkeState::auth_sent: return "connecting";
        case ike::IkeState::established: return "established";
        case ike::IkeState::rekeyed: return "rekeyed";
        case ike::IkeState::closed: return "closed";
        default: return "deleting";
    }
}

std::string_view word_of(ike::ChildSa::State state) {
    switch (state) {
        case ike::ChildSa::State::installed: return "installed";
        case ike::ChildSa::State::rekeying: return "rekeying";
        case ike::ChildSa::State::replaced: return "old";
        case ike::ChildSa::State::deleting: return "deleting";
    }
    return "?";
}

std::string_view word_of(ike::AuthWay way) {
    switch (way) {
        case ike::AuthWay::shared_key: return "psk";
        case ike::AuthWay::certificate: return "certificate";
        case ike::AuthWay::raw_key: return "raw_key";
    }
    return "?";
}

std::uint64_t seconds_until(ike::Instant at, ike::Instant now) {
    return at <= now ? 0 : static_cast<std::uint64_t>((at - now).count() / 1000);
}
std::uint64_t seconds_since(ike::Instant at, ike::Instant now) { return seconds_until(now, at); }

std::vector<std::string> texts_of(const std::vector<ike::TrafficSelector>& selectors) {
    std::vector<std::string> out;
    for (const ike::TrafficSelector& s : selectors) out.push_back(ike::text_of(s));
    return out;
}

/// To append to. Whoever reads it reads everything: it is its owner's alone, an older one too.
Result<std::unique_ptr<std::FILE, CloseFile>> open_key_log(const std::string& path) {
    const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, S_IRUSR | S_IWUSR);
    if (fd < 0) return fail(Errc::io, "cannot write " + path + ": " + std::strerror(errno));
    std::unique_ptr<std::FILE, CloseFile> file{fdopen(fd, "a")};
    if (file == nullptr) close(fd);
    if (file == nullptr) return fail(Errc::io, "cannot write " + path + ": " + std::strerror(errno));
    if (auto own = config::check_secret(fd, path); !own)
        return std::unexpected(std::move(own).error().in("ike.key_log"));
    return file;
}

}  // namespace

Result<std::unique_ptr<IkeDaemon>> IkeDaemon::start(control::ControlPlane& control, EventLoop& loop,
                                                    ike::CryptoContext& crypto, ike::EngineConfig config,
                                                    const std::string& key_log) {
    config.tells_keys = !key_log.empty();
    std::unique_ptr<IkeDaemon> made{new IkeDaemon{control, loop, crypto, std::move(config)}};
    IkeDaemon& daemon = *made;
    if (!key_log.empty()) {
        TORII_TRY(daemon.key_log_, open_key_log(key_log));
        log::warning("the keys of every IKE SA are written to " + key_log + " (ike.key_log): for debugging alone");
    }
    TORII_TRY(daemon.receiving_,
              control.receive_ike([&daemon](const control::IkeDatagram& datagram) { return daemon.take(datagram); }));
    daemon.listening_ = control.listen([&daemon](const control::Event& event) { daemon.take(event); });
    daemon.perform(daemon.engine_.begin(daemon.now()));
    daemon.arm();
    return made;
}

IkeDaemon::~IkeDaemon() {
    receiving_.reset();
    listening_.reset();
    if (work_) loop_.cancel(*work_);
    if (timer_) loop_.cancel(*timer_);
}

ike::Now IkeDaemon::now() const {
    using namespace std::chrono;
    return {duration_cast<milliseconds>(steady_clock::now().time_since_epoch()),
            duration_cast<seconds>(system_clock::now().time_since_epoch()).count()};
}

std::uint64_t IkeDaemon::packets(const control::SaId& sa) const {
    std::uint64_t count = 0;
    (void)control_.with_sa(sa, [&](const control::SaView& view) { count = view.packets; });
    return count;
}

// ---- what comes in. The gateway is in the middle of a poll or a transaction then: it is done on the next turn.

bool IkeDaemon::take(const control::IkeDatagram& d) {
    work_soon();
    return inbox_.put({{d.local, d.local_port}, {d.remote, d.remote_port}, {d.octets.begin(), d.octets.end()}},
                      engine_.has_ike_sa_of(d.octets));
}

void IkeDaemon::take(const control::Event& event) {
    using Kind = control::Event::Kind;
    if (event.kind == Kind::selector_mismatch) {
        if (mismatch_ || !engine_.tells_mismatch(event.sa, now())) return;
        mismatch_ = event;
        return work_soon();
    }
    const bool ended = event.kind == Kind::expire_hard || (event.kind == Kind::sa_deleted && !applying_);
    if (event.kind != Kind::acquire && event.kind != Kind::expire_soft && event.kind != Kind::sequence_exhausted &&
        !ended)
        return;
    work_soon();
    if (events_.size() < most_events)
        events_.push_back(event);
    else
        ++events_lost_;
}

void IkeDaemon::work_soon() {
    if (!work_) work_ = loop_.after({}, [this] { work(); });
}

void IkeDaemon::work() {
    work_.reset();
    const Burst burst{*this};
    const auto end = EventLoop::Clock::now() + longest_work;
    if (mismatch_) perform(engine_.mismatched(*std::exchange(mismatch_, {}), now()));
    do {
        if (!events_.empty()) {
            const control::Event event = std::move(events_.front());
            events_.pop_front();
            take_in(event);
        }
        if (const auto datagram = inbox_.take()) perform(engine_.receive(*datagram, now()));
    } while ((!inbox_.empty() || !events_.empty()) && EventLoop::Clock::now() < end);
    if (!inbox_.empty() || !events_.empty()) work_soon();
    do_what_is_due(end);  // here too: arm() puts the timer off, and turns of work may come closer together than that
    arm();
}

/// One thing at least, and no further one after `end`.
void IkeDaemon::do_what_is_due(EventLoop::Clock::time_point end) {
    const Burst burst{*this};
    while (engine_.next_tick() <= now().steady) {
        perform(engine_.tick(now()));
        if (EventLoop::Clock::now() >= end) break;
    }
    tell_left_out();
    if (events_lost_ == 0 || now().steady < tell_lost_at_) return;
    tell_lost_at_ = now().steady + ike::Instant{1000};
    ike::Tell tell{ike::Tell::Level::warning,
                   {},
                   "",
                   std::to_string(std::exchange(events_lost_, 0)) +
                       " events of the gateway came faster than they are worked through, and count for nothing"};
    perform(tell);
}

void IkeDaemon::take_in(const control::Event& event) {
    if (event.kind != control::Event::Kind::acquire)
        return perform(engine_.expired(event.sa, event.kind != control::Event::Kind::expire_soft, now()));
    std::optional<Policy> policy;
    control_.each_policy([&](const control::PolicyView& view) {
        if (view.policy.id != event.policy) return true;
        policy = view.policy;
        return false;
    });
    perform(engine_.acquire(event, policy ? &*policy : nullptr, now()));
}

void IkeDaemon::arm() {
    if (timer_) loop_.cancel(*timer_);
    auto next = events_lost_ == 0 ? engine_.next_tick() : std::min(engine_.next_tick(), tell_lost_at_);
    if (limit_.has_left_out()) next = std::min(next, limit_.ends());
    const auto wait = std::clamp(next - now().steady, ike::Instant{1}, ike::Instant{60'000});
    timer_ = loop_.after(wait, [this] {
        timer_.reset();
        do_what_is_due(EventLoop::Clock::now() + longest_work);
        arm();
    });
}

void IkeDaemon::reload(ike::EngineConfig config) {
    config.tells_keys = key_log_ != nullptr;
    perform(engine_.configure(std::move(config), now()));
    arm();
}

void IkeDaemon::shut_down() {
    receiving_.reset();
    listening_.reset();
    if (work_) loop_.cancel(*work_);
    work_.reset();
    perform(engine_.shut_down(now()));
}

// ---- what the engine asks for

IkeDaemon::Burst::Burst(IkeDaemon& daemon) : daemon_(daemon), held_(daemon.control_.hold()) { ++daemon_.bursts_; }

IkeDaemon::Burst::~Burst() {
    daemon_.applying_ = true;
    held_.reset();
    daemon_.applying_ = false;
    if (--daemon_.bursts_ != 0) return;
    for (const ike::Datagram& datagram : std::exchange(daemon_.outbox_, {})) daemon_.send(datagram);
}

void IkeDaemon::perform(ike::Actions actions) {
    const Burst burst{*this};
    for (ike::Action& action : actions) std::visit([this](auto& what) { perform(what); }, action);
}

void IkeDaemon::perform(ike::Send& send) { outbox_.push_back(std::move(send.datagram)); }

void IkeDaemon::send(const ike::Datagram& d) {
    const auto sent = control_.send_ike({d.local.address, d.remote.address, d.local.port, d.remote.port, d.octets});
    if (sent) return;
    ike::Tell tell{ike::Tell::Level::warning, {}, "", "to " + d.remote.text() + ": " + sent.error().message};
    perform(tell);
}

void IkeDaemon::perform(ike::Apply& apply) {
    std::vector<control::Located> transaction, ends;
    for (control::Operation& operation : apply.operations) {
        if (const auto* sa = std::get_if<control::DeleteSa>(&operation)) ends.push_back({*sa, "ike"});
        if (const auto* policy = std::get_if<control::DeletePolicy>(&operation)) ends.push_back({*policy, "ike"});
        transaction.push_back({std::move(operation), "ike"});
    }
    applying_ = true;
    const auto applied = control_.apply(std::move(transaction));
    // An operator has taken a part of it away (setkey -F, -FP): what else was to go still goes. With a child that the
    // gateway does not take nothing else happens either.
    if (!applied && !apply.child)
        for (control::Located& end : ends) {
            std::vector<control::Located> alone;
            alone.push_back(std::move(end));
            (void)control_.apply(std::move(alone));
        }
    applying_ = false;
    if (applied) return;
    if (apply.child) return perform(engine_.refused(*apply.child, applied.error(), now()));
    ike::Tell tell{ike::Tell::Level::warning, {}, "", "the gateway does it in part: " + applied.error().text()};
    perform(tell);
}

void IkeDaemon::perform(ike::Tell& tell) {
    if (tell.level == ike::Tell::Level::keys) {
        if (key_log_ == nullptr) return;
        std::fputs((tell.text + "\n").c_str(), key_log_.get());
        std::fflush(key_log_.get());
        return;
    }
    tell_left_out();
    if (limit_.admits(tell, now().steady)) write_down(tell);
}

void IkeDaemon::tell_left_out() {
    for (const ike::Tell& tell : limit_.finish(now().steady)) write_down(tell);
}

void IkeDaemon::write_down(const ike::Tell& tell) {
    using namespace std::chrono;
    rpc::IkeLogLine line;
    line.unix_milliseconds = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
    line.level = name_of(tell.level);
    line.connection = tell.connection;
    line.number = static_cast<std::uint32_t>(tell.sa);
    line.text = tell.text;
    std::string text = "ike: ";
    if (tell.sa != ike::IkeSaId{}) text += tell.connection + " #" + std::to_string(line.number) + " ";
    text += tell.text;
    switch (tell.level) {
        case ike::Tell::Level::info: log::info(text); break;
        case ike::Tell::Level::warning: log::warning(text); break;
        case ike::Tell::Level::error: log::error(text); break;
        default: log::debug(text); break;
    }
    if (tell.level != ike::Tell::Level::debug) {
        if (hear_) hear_(line);
        return keep(lines_, most_lines, std::move(line));
    }
    // A message with its payloads: a line each
    for (std::string_view rest = tell.text; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        line.text = (rest.data() == tell.text.data() ? "" : "  ") + std::string{rest.substr(0, end)};
        keep(debug_lines_, most_debug_lines, line);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
}

void IkeDaemon::keep(std::deque<Kept>& lines, std::size_t most, rpc::IkeLogLine line) {
    lines.push_back({++kept_, std::move(line)});
    if (lines.size() > most) lines.pop_front();
}

// ---- the control socket

std::vector<rpc::IkeStatus> IkeDaemon::list() const {
    const ike::Instant at = now().steady;
    std::vector<rpc::IkeStatus> out;
    const auto add = [&](const ike::IkeSa& sa) {
        rpc::IkeStatus s;
        s.connection = sa.connection_name();
        s.number = static_cast<std::uint32_t>(sa.id);
        s.state = sa.has_pending_rekey() ? "rekeying" : word_of(sa.state);
        s.initiator = sa.initiator;
        s.local = sa.local.address.text();
        s.remote = sa.remote.address.text();
        s.local_port = sa.local.port;
        s.remote_port = sa.remote.port;
        s.local_nat = sa.behind_nat;
        s.remote_nat = sa.peer_behind_nat;
        if (!sa.local_id.data.empty()) s.local_id = ike::text_of(sa.local_id);
        if (!sa.remote_id.data.empty()) s.remote_id = ike::text_of(sa.remote_id);
        if (sa.connection) {
            s.local_auth = word_of(sa.connection->local_auth);
            s.remote_auth = word_of(sa.connection->remote_auth);
        }
        s.initiator_spi = static_cast<std::uint64_t>(sa.spi_initiator);
        s.responder_spi = static_cast<std::uint64_t>(sa.spi_responder);
        if (sa.sealing) s.suite = ike::text_of(sa.suite);
        for (const Address& address : sa.internal_addresses) s.internal_addresses.push_back(address.text());
        for (const Address& server : sa.internal_dns) s.internal_dns.push_back(server.text());
        if (!sa.ppk_id.empty()) s.ppk = ike::text_of_ppk_id(sa.ppk_id);
        s.age_seconds = seconds_since(sa.established_at != ike::Instant{} ? sa.established_at : sa.created, at);
        s.rekey_in_seconds = seconds_until(sa.rekey_at, at);
        s.reauth_in_seconds = seconds_until(sa.reauth_at, at);
        s.silent_seconds = seconds_since(sa.last_heard, at);
        s.children = static_cast<std::uint32_t>(sa.children.size());
        out.push_back(std::move(s));
    };
    for (const auto& connection : engine_.config().connections) {
        const ike::IkeSas& held = engine_.of(*connection);
        for (const auto& [id, sa] : held) add(*sa);
        if (!held.empty()) continue;
        rpc::IkeStatus none;
        none.connection = connection->name;
        none.state = "none";
        none.local = connection->local ? connection->local->text() : "any";
        none.remote = connection->remote ? connection->remote->text() : "any";
        none.local_auth = word_of(connection->local_auth);
        none.remote_auth = word_of(connection->remote_auth);
        out.push_back(std::move(none));
    }
    engine_.each([&](const ike::IkeSa& sa) {  // who has not said yet who he is, and what outlived its connection
        if (!engine_.has(sa.connection)) add(sa);
    });
    return out;
}

std::vector<rpc::IkeChildStatus> IkeDaemon::children() const {
    const ike::Instant at = now().steady;
    std::vector<rpc::IkeChildStatus> out;
    const auto add = [&](const ike::IkeSa& sa, const ike::ChildSa& child) {
        rpc::IkeChildStatus s;
        s.connection = sa.connection_name();
        s.name = child.config->name;
        s.number = static_cast<std::uint32_t>(child.id);
        s.ike = static_cast<std::uint32_t>(sa.id);
        s.state = child.remove_inbound_at != ike::Instant{} ? "deleting" : word_of(child.state);
        s.protocol = child.protocol == ike::ProtocolId::ah ? "ah" : "esp";
        s.mode = torii::name_of(child.mode);
        s.in_udp = sa.uses_udp();
        s.ipcomp = child.ipcomp.has_value();
        s.inbound_spi = static_cast<std::uint32_t>(child.inbound);
        s.outbound_spi = static_cast<std::uint32_t>(child.outbound);
        s.suite = ike::text_of(child.suite);
        s.local = texts_of(child.traffic.local);
        s.remote = texts_of(child.traffic.remote);
        s.age_seconds = seconds_since(child.created, at);
        s.rekey_in_seconds = seconds_until(child.rekey_at, at);
        s.ends_in_seconds = seconds_until(child.expires_at, at);
        (void)control_.with_sa(ike::inbound_sa(sa, child), [&](const control::SaView& view) {
            s.inbound_packets = view.packets;
            s.inbound_octets = view.octets;
        });
        (void)control_.with_sa(ike::outbound_sa(sa, child), [&](const control::SaView& view) {
            s.outbound_packets = view.packets;
            s.outbound_octets = view.octets;
        });
        out.push_back(std::move(s));
    };
    for (const auto& connection : engine_.config().connections)
        for (const ike::ChildConfig& config : connection->children) {
            const std::size_t before = out.size();
            for (const auto& [id, sa] : engine_.of(*connection))
                for (const auto& child : sa->children)
                    if (child->config == &config) add(*sa, *child);
            if (out.size() != before) continue;
            rpc::IkeChildStatus none;
            none.connection = connection->name;
            none.name = config.name;
            none.state = config.start == ike::StartAction::trap ? "trap" : "none";
            none.protocol = config.protocol == ike::ProtocolId::ah ? "ah" : "esp";
            none.mode = torii::name_of(config.mode);
            for (const Prefix& prefix : config.local) none.local.push_back(prefix.text());
            for (const Prefix& prefix : config.remote) none.remote.push_back(prefix.text());
            out.push_back(std::move(none));
        }
    return out;
}

std::vector<rpc::IkeLogLine> IkeDaemon::log(std::string_view connection, std::size_t most) const {
    std::vector<rpc::IkeLogLine> out;
    auto line = lines_.rbegin(), debug = debug_lines_.rbegin();
    while (out.size() < most && (line != lines_.rend() || debug != debug_lines_.rend())) {
        const bool of_debug = line == lines_.rend() || (debug != debug_lines_.rend() && debug->number > line->number);
        const rpc::IkeLogLine& next = (of_debug ? debug : line)++->line;
        if (connection.empty() || next.connection == connection) out.push_back(next);
    }
    std::ranges::reverse(out);
    return out;
}

Result<std::string> IkeDaemon::ordered(Result<ike::Actions> actions, std::string_view did, std::string_view name) {
    if (!actions) return std::unexpected(std::move(actions).error());
    perform(std::move(*actions));
    arm();
    return std::string{did} + " " + std::string{name};
}

Result<std::string> IkeDaemon::up(std::string_view name) {
    return ordered(engine_.up(name, now()), "negotiating", name);
}
Result<std::string> IkeDaemon::down(std::string_view name) {
    return ordered(engine_.down(name, now()), "ending", name);
}
Result<std::string> IkeDaemon::rekey(std::string_view name) {
    return ordered(engine_.rekey(name, now()), "rekeying", name);
}
Result<std::string> IkeDaemon::reauth(std::string_view name) {
    return ordered(engine_.reauth(name, now()), "reauthenticating", name);
}
Result<std::string> IkeDaemon::move(std::string_view name, std::string_view address) {
    const auto local = Address::parse(address);
    if (!local) return fail(Errc::bad_value, std::string{address} + " is no address");
    return ordered(engine_.move(name, *local, now()), "moving", name);
}

}  // namespace torii
