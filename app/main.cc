// toriid: the gateway's process. Reads the configuration, takes its privileges seriously, starts the packet path, opens
// the control socket and turns the event loop until it is asked to end. Main thread = main lcore = control thread.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "app/config/read.h"
#include "app/event_loop.h"
#include "app/host_stack.h"
#include "app/ike/daemon.h"
#include "app/ike/engine_config.h"
#include "app/log.h"
#include "app/packet_sockets.h"
#include "app/rpc/server.h"
#include "app/service_manager.h"
#include "app/statements.h"
#include "dataplane/eal.h"
#include "gateway/devargs.h"
#include "gateway/gateway.h"
#include "gateway/rehearsal.h"

namespace torii {

namespace {

/// Keys live in this process: no core dumps, no ptrace by others of our user.
void guard_memory() {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

/// Nothing of this process is swapped out, as it is touched. Where there is a limit that cannot be lifted nothing is
/// locked, because later allocations would fail on it.
void lock_memory() {
    const rlimit no_limit{RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &no_limit) == 0 && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0) return;
    log::warning(std::string{"memory cannot be locked ("} + std::strerror(errno) +
                 "): keys may be swapped to disk. Give toriid CAP_IPC_LOCK and CAP_SYS_RESOURCE (root has them), or "
                 "run without swap.");
}

std::vector<std::string> pci_devices(const Configuration& configuration) {
    std::vector<std::string> out;
    for (const PortConfiguration& port : configuration.ports)
        if (is_hardware(port)) out.push_back(port.device);
    return out;
}

/// With a host port the kernel has our addresses, and what it took by itself would pass every policy.
Result<void> keep_kernel_out_of_ports(const Configuration& configuration) {
    const bool has_host = std::ranges::any_of(
        configuration.ports, [](const PortConfiguration& port) { return port.role == PortRole::host_port; });
    for (const PortConfiguration& port : configuration.ports)
        if (const auto kept = keep_kernel_out(port.device); !kept) {
            if (has_host) return std::unexpected(kept.error());
            log::warning(kept.error().text());
        }
    return {};
}

/// A gateway whose own machine cannot speak through it is still a gateway.
void set_up_host_ports(const Configuration& configuration) {
    for (const HostInterface& interface : host_interfaces(configuration))
        if (const auto done = set_up(interface); !done)
            log::warning("the host port's interface " + interface.name +
                         " is not what it should be, so that programs "
                         "on this machine may not reach the network: " +
                         done.error().message);
}

/// The section `ike` of the file as it is now; a mistake in it changes nothing.
void reload_ike(IkeDaemon& ike, const std::string& path, ike::CryptoContext& crypto) {
    const auto file = config::read(path);
    if (!file) return log::error("reload of ike refused, nothing was changed: " + file.error().text());
    auto engine = config::load_ike(*file, crypto);
    if (!engine) return log::error("reload of ike refused, nothing was changed: " + engine.error().text());
    ike.reload(*std::move(engine));
    log::info("reloaded ike of " + path);
}

Result<void> serve(const config::File& configuration) {
    TORII_TRY(const auto loop, EventLoop::make());
    loop->on_fault([](std::string_view what) { log::error(std::string{"a fault of ours: "}.append(what)); });
    for (const int signal : {SIGINT, SIGTERM})  // before EAL's threads, which inherit the mask
        TORII_CHECK(loop->on_signal(signal, [&](int) { loop->stop(); }));
    std::function<void()> reload;
    TORII_CHECK(loop->on_signal(SIGHUP, [&](int) {
        if (reload) reload();
    }));

    TORII_CHECK(start_eal({.workers = configuration.workers,
                           .cores = configuration.cores,
                           .memory_megabytes = configuration.memory_megabytes,
                           .pci_devices = pci_devices(configuration)}));
    struct EalEnd {
        ~EalEnd() { stop_eal(); }
    } const eal_end;
    if (!uses_hugepages())
        log::info(
            "no hugepages: packet memory is in ordinary pages, which costs speed with many tunnels. To enable 512 MiB: "
            "echo 256 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages; mount -t hugetlbfs none "
            "/dev/hugepages");

    TORII_CHECK(keep_kernel_out_of_ports(configuration));
    PacketSocketLosses losses;
    TORII_TRY(const auto gateway, Gateway::make(configuration, {.ring_losses = [&](const PortConfiguration& port) {
                                                    return losses.of(port.device);
                                                }}));
    TORII_CHECK(load_statements(*gateway, configuration));  // before a packet moves
    std::unique_ptr<ike::CryptoContext> crypto;
    std::unique_ptr<IkeDaemon> ike;
    reload = [&] {
        Keeps keeps;
        if (ike)
            keeps = {[&](const control::SaId& sa) { return ike->owns(sa); },
                     [&](const Policy& policy) { return ike->owns(policy); }};
        const auto loaded = load_statements(*gateway, configuration, keeps);
        if (loaded)
            log::info("reloaded " + configuration.setkey_file);
        else
            log::error("reload refused, nothing was changed: " + loaded.error().text());
        if (ike) reload_ike(*ike, configuration.file_name, *crypto);
    };

    if (configuration.ike.is_there) {  // its policies stand before a packet moves, too
        TORII_TRY(crypto, ike::CryptoContext::system());
        TORII_TRY(auto engine, config::load_ike(configuration, *crypto));
        TORII_TRY(ike, IkeDaemon::start(*gateway, *loop, *crypto, std::move(engine), configuration.ike.key_log));
    }

    log::Audit audit;
    const auto listening = gateway->listen([&](const control::Event& event) { audit.tell(event); });
    loop->every(std::chrono::seconds{1}, [&] { audit.tick(); });
    loop->set_poll([&] { return gateway->poll(EventLoop::Clock::now()); });
    loop->set_turn(std::chrono::milliseconds{1});

    std::unique_ptr<rpc::Server> sockets;
    if (!configuration.policy_socket.empty()) {
        TORII_TRY(sockets, rpc::Server::open(*loop, *gateway, setkey_language(*gateway, configuration),
                                             configuration.policy_socket, {.sockets_alone = true}));
    }
    TORII_TRY(auto server, rpc::Server::open(*loop, *gateway, setkey_language(*gateway, configuration),
                                             configuration.control_socket));

    server->serve_ike(ike.get());
    gateway->start();
    set_up_host_ports(configuration);
    log::info("gateway " + configuration.name + " runs: " + std::to_string(configuration.ports.size()) + " ports, " +
              std::to_string(configuration.workers) + " workers");
    std::puts("toriid: ready");
    std::fflush(stdout);
    tell_service_manager("READY=1");
    loop->run();
    tell_service_manager("STOPPING=1");
    log::info("gateway " + configuration.name + " ends");
    server.reset();
    sockets.reset();
    if (ike) {
        ike->shut_down();  // peers are told, and the telling must leave
        const auto end = EventLoop::Clock::now() + std::chrono::milliseconds{50};
        while (EventLoop::Clock::now() < end) gateway->poll(EventLoop::Clock::now());
    }
    gateway->stop();
    return {};
}

int complain(const Error& error) {
    std::cerr << "toriid: " << error.message << '\n';
    return 1;
}

}  // namespace

}  // namespace torii

int main(int argc, char** argv) {
    using namespace torii;
    CLI::App app{"toriid: an IPsec gateway that leaves the kernel out of the packet path."};
    std::string file, check;
    app.add_option("FILE,-c,--config", file, "run with this configuration (see docs/configuration.md)");
    app.add_option("--check", check, "check this configuration and its setkey file, say what was understood, and end");
    app.set_version_flag("--version", std::string{"toriid "} + TORII_VERSION);
    app.footer(
        "Signals: SIGTERM and SIGINT end it; SIGHUP loads the setkey file anew, whole or not at all: SAs\n"
        "that stand in it unchanged go on where they are, everything else is replaced.\n"
        "Exit status: 0 ended as asked or the check passed, 1 it did not, 2 wrong use.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? 0 : 2;
    }
    if (file.empty() == check.empty()) {
        std::cerr << "toriid: name one configuration FILE to run, or one to --check; see toriid --help\n";
        return 2;
    }

    const auto configuration = config::read(file.empty() ? check : file);
    if (!configuration) return complain(configuration.error());
    guard_memory();
    if (!check.empty()) {
        auto program = read_statements(*configuration);
        if (!program) return complain(program.error());
        for (const std::string& warning : program->warnings) std::cerr << "toriid: " << warning << '\n';
        if (configuration->ike.is_there) {
            const auto crypto = ike::CryptoContext::system();
            if (!crypto) return complain(crypto.error());
            if (const auto engine = config::load_ike(*configuration, **crypto); !engine)
                return complain(engine.error());
        }
        if (const auto tried = rehearse(std::move(program->operations), *configuration); !tried)
            return complain(tried.error());
        std::cout << config::summary(*configuration);
        return 0;
    }
    if (const auto opened = log::open(configuration->log_file, configuration->log_level); !opened)
        return complain(opened.error());
    lock_memory();
    const auto served = serve(*configuration);
    log::flush();
    return served ? 0 : complain(served.error());
}
