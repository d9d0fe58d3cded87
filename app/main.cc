// toriid: the gateway's process. Reads the configuration, takes its privileges seriously, starts the packet path, opens
// the control socket and turns the event loop until it is asked to end. Main thread = main lcore = control thread.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "app/config/read.h"
#include "app/event_loop.h"
#include "app/log.h"
#include "app/packet_sockets.h"
#include "app/rpc/server.h"
#include "app/setkey/setkey.h"
#include "base/secret_bytes.h"
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

setkey::DumpOptions dump_options(rpc::Keys keys) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return {.show_keys = keys == rpc::Keys::shown,
            .pid = static_cast<std::uint32_t>(getpid()),
            .now_unix_seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count()};
}

const control::SaSpec* spec_of(const control::Operation& operation) {
    if (const auto* const add = std::get_if<control::AddSa>(&operation)) return &add->spec;
    if (const auto* const update = std::get_if<control::UpdateSa>(&operation)) return &update->spec;
    return nullptr;
}

/// What we send is padded as RFC 4303 2.4 wants it, whatever -f says.
void tell_of_padding(const setkey::Program& program) {
    const auto count = std::ranges::count_if(program.operations, [](const control::Located& located) {
        const control::SaSpec* const spec = spec_of(located.operation);
        return spec != nullptr && spec->padding != control::Padding::sequential;
    });
    if (count != 0)
        log::info(std::to_string(count) +
                  " SAs have -f random-pad or zero-pad: any padding is taken from their peers; what this gateway sends "
                  "is padded with 1, 2, 3, ... all the same (RFC 4303 2.4).");
}

/// RFC 8221 section 3: manual keys and counter modes do not go together, because a counter could repeat.
void warn_of_manual_counters(const setkey::Program& program) {
    if (const std::size_t count = setkey::manual_counter_keys(program); count != 0)
        log::warning(std::to_string(count) +
                     " SAs have manual keys for a counter-mode cipher, which RFC 8221 section 3 forbids: "
                     "should this machine's clock ever go back, IVs repeat and the traffic can be read. Use IKE, or "
                     "keys for tests only.");
}

/// Parses a text, and refuses legacy SAs unless `legacy` or the text itself allows them.
Result<setkey::Program> parse_setkey(std::string_view text, std::string_view name, bool legacy) {
    TORII_TRY(auto program, setkey::parse(text, name));
    TORII_TRY(const auto legacy_sas, setkey::check_legacy(program, legacy));
    if (!legacy_sas.empty()) log::warning(std::string{name} + ": " + legacy_sas);
    for (const std::string& warning : program.warnings) log::warning(warning);
    return program;
}

Result<std::string> run_setkey(control::ControlPlane& control, std::string_view text, std::string_view name,
                               bool legacy, rpc::Keys keys) {
    TORII_TRY(auto program, parse_setkey(text, name, legacy));
    warn_of_manual_counters(program);
    tell_of_padding(program);
    return setkey::run(control, std::move(program), dump_options(keys));
}

Result<SecretText> read_secret_file(const std::string& path) {
    struct stat about {};
    if (stat(path.c_str(), &about) == 0 && (about.st_mode & (S_IRGRP | S_IROTH)) != 0)
        log::warning(path + " holds keys and is readable by others: chmod 600 " + path);
    std::ifstream file{path};
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return fail(Errc::io, "cannot read " + path);
    return SecretText{std::move(text).str()};
}

/// Loads the setkey file whole. `replace` empties both databases first, in the same transaction.
Result<void> load_setkey_file(control::ControlPlane& control, const Configuration& configuration, bool replace) {
    const std::string& path = configuration.setkey_file;
    if (path.empty()) return {};
    TORII_TRY(const auto text, read_secret_file(path));
    const SecretText whole{(replace ? "flush; spdflush; " : "") +
                           text.view()};  // on the first line: its number stays right
    TORII_TRY(const auto output, run_setkey(control, whole.view(), path, configuration.legacy, rpc::Keys::redacted));
    if (!output.empty()) log::info(output);
    return {};
}

std::vector<std::string> pci_devices(const Configuration& configuration) {
    std::vector<std::string> out;
    for (const PortConfiguration& port : configuration.ports)
        if (is_hardware(port)) out.push_back(port.device);
    return out;
}

Result<void> serve(const Configuration& configuration) {
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

    PacketSocketLosses losses;
    TORII_TRY(const auto gateway, Gateway::make(configuration, {.ring_losses = [&](const PortConfiguration& port) {
                                                    return losses.of(port.device);
                                                }}));
    TORII_CHECK(load_setkey_file(*gateway, configuration, false));
    reload = [&] {
        const auto loaded = load_setkey_file(*gateway, configuration, true);
        if (loaded)
            log::info("reloaded " + configuration.setkey_file);
        else
            log::error("reload refused, nothing was changed: " + loaded.error().text());
    };

    log::Audit audit;
    const auto listening = gateway->listen([&](const control::Event& event) { audit.tell(event); });
    loop->every(std::chrono::seconds{1}, [&] { audit.tick(); });
    loop->set_poll([&] { return gateway->poll(EventLoop::Clock::now()); });
    loop->set_turn(std::chrono::milliseconds{1});

    rpc::Setkey language{
        .run = [&](std::string_view text, std::string_view file,
                   rpc::Keys keys) { return run_setkey(*gateway, text, file, configuration.legacy, keys); },
        .dump_sas = [&](rpc::Keys keys) { return setkey::dump_sas(*gateway, dump_options(keys)); },
        .dump_policies = [&] { return setkey::dump_policies(*gateway, dump_options(rpc::Keys::redacted)); },
        .policy = setkey::parse_policy};
    std::unique_ptr<rpc::Server> sockets;
    if (!configuration.policy_socket.empty()) {
        TORII_TRY(sockets,
                  rpc::Server::open(*loop, *gateway, language, configuration.policy_socket, {.sockets_alone = true}));
    }
    TORII_TRY(auto server, rpc::Server::open(*loop, *gateway, std::move(language), configuration.control_socket));

    gateway->start();
    log::info("gateway " + configuration.name + " runs: " + std::to_string(configuration.ports.size()) + " ports, " +
              std::to_string(configuration.workers) + " workers");
    std::puts("toriid: ready");
    std::fflush(stdout);
    loop->run();
    log::info("gateway " + configuration.name + " ends");
    server.reset();
    sockets.reset();
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
        if (!configuration->setkey_file.empty()) {
            const auto text = read_secret_file(configuration->setkey_file);
            if (!text) return complain(text.error());
            auto program = parse_setkey(text->view(), configuration->setkey_file, configuration->legacy);
            if (!program) return complain(program.error());
            if (const auto tried = rehearse(std::move(program->operations), *configuration); !tried)
                return complain(tried.error());
        }
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
