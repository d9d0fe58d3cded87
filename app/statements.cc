#include "app/statements.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "app/log.h"
#include "base/secret_bytes.h"

namespace torii {

namespace {

setkey::DumpOptions dump_options(const rpc::Setkey::Dump& dump) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return {.show_keys = dump.keys == rpc::Keys::shown,
            .show_dead = dump.dead,
            .with_ports = dump.ports,
            .verbose = dump.verbose,
            .pid = static_cast<std::uint32_t>(getpid()),
            .now_unix_seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count()};
}

/// RFC 8221 section 3: manual keys and counter modes do not go together, because a counter could repeat.
std::string warning_of_manual_counters(const setkey::Program& program) {
    const std::size_t count = setkey::manual_counter_keys(program);
    if (count == 0) return {};
    return std::to_string(count) +
           " SAs have manual keys for a counter-mode cipher, which RFC 8221 section 3 forbids: should this machine's "
           "clock ever go back, IVs repeat and the traffic can be read. Use IKE, or keys for tests only.";
}

Result<setkey::Hosts> hosts_of(const rpc::SetkeyText& text) {
    setkey::Hosts hosts;
    for (const auto& [name, addresses] : text.hosts) {
        auto& list = hosts[name];
        for (const std::string& numeric : addresses) {
            TORII_TRY(const auto address, Address::parse(numeric));
            list.push_back(address);
        }
    }
    return hosts;
}

/// Parses `text` and judges it by `configuration`; Program::warnings holds all there is to warn of.
Result<setkey::Program> judged(const Configuration& configuration, const rpc::SetkeyText& text) {
    TORII_TRY(const auto hosts, hosts_of(text));
    TORII_TRY(auto program, setkey::parse(text.text, text.file, hosts));
    TORII_TRY(const auto legacy, setkey::check_legacy(program, configuration.legacy));
    const std::string file{text.file};
    if (text.readable_by_others && setkey::holds_keys(program)) {
        const std::string found = file + " holds keys and may be read or written by others: chmod 600 " + file;
        if (configuration.readable_keys == ReadableKeys::refuse)
            return fail(Errc::denied, found + " (ipsec.readable_keys = \"refuse\")");
        program.warnings.push_back(found);
    }
    if (!legacy.empty()) program.warnings.push_back(file + ": " + legacy);
    if (const auto counters = warning_of_manual_counters(program); !counters.empty())
        program.warnings.push_back(file + ": " + counters);
    return program;
}

void log_warnings(const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings) log::warning(warning);
}

struct SecretFile {
    SecretText text;
    bool readable_by_others = false;
};

struct Descriptor {
    const int fd;
    ~Descriptor() { close(fd); }
};

Result<SecretFile> read_secret_file(const std::string& path) {
    const auto failed = [&] { return fail(Errc::io, "cannot read " + path + ": " + std::strerror(errno)); };
    const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat about {};
    if (file.fd < 0 || fstat(file.fd, &about) != 0) return failed();
    std::string text;
    std::array<char, 65536> octets;
    ssize_t count = 0;
    while ((count = read(file.fd, octets.data(), octets.size())) > 0 && text.size() <= setkey::max_text_octets)
        text.append(octets.data(), static_cast<std::size_t>(count));
    wipe(std::as_writable_bytes(std::span{octets}));
    SecretText whole{std::move(text)};
    if (count < 0) return failed();
    return SecretFile{std::move(whole), S_ISREG(about.st_mode) && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0};
}

}  // namespace

Result<rpc::SetkeyAnswer> run_statements(control::ControlPlane& control, const Configuration& configuration,
                                         const rpc::SetkeyText& text, rpc::Keys keys) {
    TORII_TRY(auto program, judged(configuration, text));
    rpc::SetkeyAnswer answer{.output = {}, .warnings = program.warnings, .unknown_hosts = program.unknown_hosts};
    if (text.check || !answer.unknown_hosts.empty()) return answer;
    log_warnings(program.warnings);
    answer.statements = setkey::message_types(program);
    TORII_TRY(auto ran, setkey::run(control, std::move(program), dump_options({keys, false, false, text.verbose})));
    log_warnings(ran.warnings);
    answer.output = std::move(ran.output);
    std::ranges::move(ran.warnings, std::back_inserter(answer.warnings));
    return answer;
}

Result<setkey::Program> read_statements(const Configuration& configuration) {
    const std::string& path = configuration.setkey_file;
    if (path.empty()) return setkey::Program{};
    TORII_TRY(const auto file, read_secret_file(path));
    const rpc::SetkeyText text{.text = file.text.view(), .file = path, .readable_by_others = file.readable_by_others};
    TORII_TRY(auto program, judged(configuration, text));
    if (program.unknown_hosts.empty()) return program;
    const auto& [name, where] = program.unknown_hosts.front();
    return fail(Errc::unsupported, where + ": toriid looks up no host names: write the address of '" + name +
                                       "', or load this text with setkey -f, which looks them up");
}

Result<void> load_statements(control::ControlPlane& control, const Configuration& configuration, const Keeps& keeps) {
    if (configuration.setkey_file.empty()) return {};
    TORII_TRY(auto program, read_statements(configuration));
    log_warnings(program.warnings);
    std::vector<control::Located> operations;
    if (keeps.sa) {
        control.each_sa([&](const control::SaView& view) {
            if (!keeps.sa(view.spec.id))
                operations.push_back({control::DeleteSa{view.spec.id}, configuration.setkey_file});
            return true;
        });
        control.each_policy([&](const control::PolicyView& view) {
            if (view.policy.owner == PolicyOwner::spd && !keeps.policy(view.policy))
                operations.push_back(
                    {control::DeletePolicy{view.policy.direction, view.policy.selector}, configuration.setkey_file});
            return true;
        });
    } else {
        operations.push_back({control::FlushSas{}, configuration.setkey_file});
        operations.push_back({control::FlushPolicies{}, configuration.setkey_file});
    }
    std::ranges::move(program.operations, std::back_inserter(operations));
    program.operations = std::move(operations);
    TORII_TRY(const auto ran, setkey::run(control, std::move(program), dump_options({})));
    if (!ran.output.empty()) log::info(ran.output);
    log_warnings(ran.warnings);
    return {};
}

namespace {

Result<std::string> dump_sas(const control::ControlPlane& control, const rpc::Setkey::Dump& dump) {
    if (!dump.wireshark) return setkey::dump_sas(control, dump_options(dump));
    if (dump.keys != rpc::Keys::shown)
        return fail(Errc::denied, "Wireshark's table is made of keys, which are for root");
    return setkey::wireshark_table(control);
}

}  // namespace

rpc::Setkey setkey_language(control::ControlPlane& control, const Configuration& configuration) {
    return {.run = [&](const rpc::SetkeyText& text,
                       rpc::Keys keys) { return run_statements(control, configuration, text, keys); },
            .dump_sas = [&](const rpc::Setkey::Dump& dump) { return dump_sas(control, dump); },
            .dump_policies =
                [&](bool without_sockets) {
                    setkey::DumpOptions options = dump_options({});
                    options.without_sockets = without_sockets;
                    return setkey::dump_policies(control, options);
                },
            .policy = setkey::parse_policy};
}

}  // namespace torii
