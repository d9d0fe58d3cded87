#include "app/config/read.h"

#include <libconfig.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <span>

#include "app/config/check.h"
#include "app/config/settings.h"
#include "app/config/source.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace torii::config {
namespace {

constexpr std::size_t longest_file = 4 << 20;  // some 50,000 routes; a file beyond it is not a configuration

/// libconfig's tree; freed with it.
class Tree {
public:
    Tree() { config_init(&tree_); }
    ~Tree() { config_destroy(&tree_); }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    bool parse(const std::string& text) {
#ifdef __SANITIZE_ADDRESS__
        const __lsan::ScopedDisabler libconfig_forgets_a_string_at_each_syntax_error;
#endif
        return config_read_string(&tree_, text.c_str()) == CONFIG_TRUE;
    }
    const config_setting_t& root() const { return *config_root_setting(&tree_); }
    unsigned error_line() const { return static_cast<unsigned>(std::max(1, config_error_line(&tree_))); }
    std::string_view error_text() const { return config_error_text(&tree_); }

private:
    config_t tree_;
};

bool is_aggregate(const config_setting_t& node) { return config_setting_is_aggregate(&node) == CONFIG_TRUE; }
bool is_group(const config_setting_t& node) { return config_setting_is_group(&node) == CONFIG_TRUE; }

bool has(const config_setting_t& group, std::string_view member) {
    return config_setting_get_member(&group, std::string{member}.c_str()) != nullptr;
}

/// Visits a group's or list's children with their paths: "ports.[0].mtu", and in the table's form "ports.[].mtu".
template <class Visit>
void each_child(const config_setting_t& node, const std::string& path, const std::string& pattern, Visit visit) {
    const auto count = static_cast<unsigned>(config_setting_length(&node));
    const auto under = [](const std::string& parent, const std::string& name) {
        return parent.empty() ? name : parent + "." + name;
    };
    for (unsigned i = 0; i < count; ++i) {
        const auto& child = *config_setting_get_elem(const_cast<config_setting_t*>(&node), i);
        const bool named = is_group(node);
        const std::string name = named ? config_setting_name(&child) : "[" + std::to_string(i) + "]";
        visit(child, under(path, name), under(pattern, named ? name : "[]"));
    }
}

/// A node's kind in an operator's words.
std::string_view kind_word(const config_setting_t& node) {
    switch (config_setting_type(&node)) {
        case CONFIG_TYPE_GROUP: return "a group";
        case CONFIG_TYPE_LIST: return "a list";
        case CONFIG_TYPE_ARRAY: return "a list";
        case CONFIG_TYPE_INT: return "an integer";
        case CONFIG_TYPE_INT64: return "an integer";
        case CONFIG_TYPE_FLOAT: return "a fraction";
        case CONFIG_TYPE_BOOL: return "a boolean";
        default: return "a string";
    }
}

std::string_view kind_word(Kind kind) {
    switch (kind) {
        case Kind::group: return "a group { ... }";
        case Kind::list: return "a list";
        case Kind::integer: return "an integer";
        case Kind::flag: return "true or false";
        case Kind::text: break;
        case Kind::choice: break;
    }
    return "a string";
}

bool fits(const config_setting_t& node, Kind kind) {
    const int type = config_setting_type(&node);
    switch (kind) {
        case Kind::group: return type == CONFIG_TYPE_GROUP;
        case Kind::list: return type == CONFIG_TYPE_LIST || type == CONFIG_TYPE_ARRAY;
        case Kind::integer: return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
        case Kind::flag: return type == CONFIG_TYPE_BOOL;
        case Kind::text: return type == CONFIG_TYPE_STRING;
        case Kind::choice: return type == CONFIG_TYPE_STRING;
    }
    return false;
}

/// "as in mtu = 9000", or "as in 1" for a list's element.
std::string as_in(const Setting& setting) {
    const bool element = setting.name() == "[]";
    return "as in " + (element ? "" : std::string{setting.name()} + " = ") + std::string{setting.example};
}

std::string number_text(std::int64_t number) {
    constexpr auto greatest = std::numeric_limits<std::int64_t>::max();
    return number == greatest || number <= -greatest ? "beyond 64 bits" : std::to_string(number);
}

/// Walks the tree along the table and fills a Configuration.
class Reading {
public:
    Reading(File& file, Problems& problems) : file_(file), problems_(problems) {}

    /// Remembers where every setting stands. `string_lines` as scan() found them, in the tree's own order; what this
    /// subtree holds is taken from its front.
    void locate(const config_setting_t& node, const std::string& path, std::span<const unsigned>& string_lines) {
        unsigned line = config_setting_source_line(&node);
        if (config_setting_type(&node) == CONFIG_TYPE_STRING && !string_lines.empty()) {
            if (config_setting_name(&node) == nullptr) line = string_lines.front();
            string_lines = string_lines.subspan(1);
        }
        problems_.locate(path, line);
        if (!is_aggregate(node)) return;
        each_child(node, path, {}, [&](const auto& child, const auto& child_path, const auto&) {
            locate(child, child_path, string_lines);
        });
    }

    void members(const config_setting_t& node, const std::string& path, const std::string& pattern) {
        each_child(node, path, pattern, [&](const auto& child, const auto& child_path, const auto& child_pattern) {
            setting(child, child_path, child_pattern);
        });
        if (is_group(node)) missing(node, path, pattern);
    }

private:
    void setting(const config_setting_t& node, const std::string& path, const std::string& pattern) {
        const Setting* const known = find_setting(pattern);
        if (known == nullptr) {
            const auto dot = pattern.rfind('.');
            const auto parent = std::string_view{pattern}.substr(0, dot == pattern.npos ? 0 : dot);
            return problems_.add(path,
                                 "is not a setting: " + suggestion(parent, std::string_view{pattern}.substr(dot + 1)));
        }
        if (!fits(node, known->kind))
            return problems_.add(path, "is " + std::string{kind_word(node)} + ": " +
                                           std::string{kind_word(known->kind)} + " is wanted, " + as_in(*known));
        if (is_aggregate(node)) {
            if (known->take) known->take(file_, {});
            return members(node, path, pattern);
        }
        value(node, *known, path);
    }

    void value(const config_setting_t& node, const Setting& known, const std::string& path) {
        Value value;
        std::string written;
        if (known.kind == Kind::integer) {
            value.number = config_setting_get_int64(&node);
            written = number_text(value.number);
            if (value.number < known.range.low || value.number > known.range.high)
                return problems_.add(path, "is " + written + ": " + known.right());
        } else if (known.kind == Kind::flag) {
            value.flag = config_setting_get_bool(&node) == CONFIG_TRUE;
        } else {
            value.text = config_setting_get_string(&node);
            written = in_quotes(value.text);
        }
        if (known.kind == Kind::choice) {
            const auto choice = std::ranges::find(known.choices, value.text, &Choice::name);
            if (choice == known.choices.end()) return problems_.add(path, "is " + written + ": " + known.right());
            value.number = choice->value;
        }
        if (const auto complaint = known.take(file_, value); !complaint.empty())
            problems_.add(path, "is " + written + complaint);
    }

    void missing(const config_setting_t& group, const std::string& path, const std::string& pattern) {
        for (const Setting& s : settings())
            if (s.required && s.parent() == pattern && !has(group, s.name()) && !has(group, s.unless))
                problems_.add(path.empty() ? std::string{s.name()} : path + "." + std::string{s.name()},
                              "is missing: it is required, " + as_in(s));
    }

    File& file_;
    Problems& problems_;
};

std::string line_of(std::string_view text, unsigned line) {
    while (--line > 0 && text.find('\n') != text.npos) text.remove_prefix(text.find('\n') + 1);
    text = text.substr(0, text.find('\n'));
    const auto first = text.find_first_not_of(" \t\r");
    if (first == text.npos) return {};
    return std::string{text.substr(first, text.find_last_not_of(" \t\r") - first + 1)};
}

/// libconfig's three sentences, with what it does not say: what would be right.
std::string parse_problem(std::string_view told, const std::string& line) {
    const std::string at = line.empty() ? " at the end of the file" : " at " + in_quotes(line);
    if (told == "duplicate setting name")
        return "a name stands twice in one group" + at + ": each setting is given once";
    if (told == "mismatched element type in array")
        return "different kinds of values in one [ ... ]" + at + ": an array's elements are of one kind";
    return "the file does not parse" + at +
           ", or just before it: a setting reads NAME = VALUE; and what ( { [ open ) } ] close";
}

/// The file's own paths count from its folder.
void resolve_paths(File& c, const std::filesystem::path& folder) {
    const auto resolve = [&](std::string& path) {
        if (!path.empty()) path = (folder / path).lexically_normal().string();
    };
    for (std::string* const path : {&c.setkey_file, &c.control_socket, &c.policy_socket, &c.log_file, &c.ike.psk_file,
                                    &c.ike.ppk_file, &c.ike.key_log})
        resolve(*path);
    for (auto* const paths : {&c.ike.authorities, &c.ike.revocations})
        for (std::string& path : *paths) resolve(path);
    for (IkeConnectionForm& connection : c.ike.connections)
        for (std::string* const path :
             {&connection.certificate, &connection.key, &connection.key_passphrase_file, &connection.peers_key})
            resolve(*path);
}

void fill_in_mtus(Configuration& c) {
    for (PortConfiguration& port : c.ports)
        if (port.mtu == 0) port.mtu = port.gif ? gif_mtu : PortConfiguration{}.mtu;
}

/// A neighbour or next hop without a port is on the one whose network holds it: check() found that there is one.
void find_ports(Configuration& c) {
    for (auto& neighbour : c.neighbours)
        if (neighbour.port.empty()) neighbour.port = port_holding(c, neighbour.address)->name;
    for (auto& route : c.routes)
        if (route.port.empty()) route.port = port_holding(c, route.via)->name;
}

Result<File> read_text(std::string_view text, const std::string& name, const std::filesystem::path& folder,
                       unsigned cores) {
    Problems problems;
    const Source source = scan(text, problems);
    if (!problems.none()) return std::unexpected(problems.error(Errc::bad_syntax, name));
    Tree tree;
    if (!tree.parse(source.text)) {
        problems.add(tree.error_line(), parse_problem(tree.error_text(), line_of(text, tree.error_line())));
        return std::unexpected(problems.error(Errc::bad_syntax, name));
    }
    File configuration;
    Reading reading{configuration, problems};
    std::span<const unsigned> string_lines = source.string_lines;
    reading.locate(tree.root(), {}, string_lines);
    reading.members(tree.root(), {}, {});
    resolve_paths(configuration, folder);
    fill_in_mtus(configuration);
    check(configuration, cores, problems);
    if (!problems.none()) return std::unexpected(problems.error(Errc::bad_value, name));
    find_ports(configuration);
    configuration.file_name = name;
    configuration.lines = problems.lines();
    return configuration;
}

}  // namespace

unsigned machine_cores() { return static_cast<unsigned>(std::max(1l, sysconf(_SC_NPROCESSORS_CONF))); }

Result<File> from_text(std::string_view text, const std::string& name, unsigned cores) {
    return read_text(text, name, std::filesystem::path{name}.parent_path(), cores);
}

Result<File> read(const std::string& path, unsigned cores) {
    std::error_code problem;
    const auto folder = std::filesystem::absolute(path, problem).parent_path();
    errno = 0;
    std::ifstream file{path, std::ios::binary};
    std::string text(longest_file + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file.eof() && !file.good()) return fail(Errc::io, path + " cannot be read: " + std::strerror(errno));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > longest_file)
        return fail(Errc::io, path + " is longer than 4 megabytes: it is no configuration file");
    return read_text(text, path, folder, cores);
}

}  // namespace torii::config
