// The pages of docs/ that are tables of the code, drawn from those tables. Each test draws its page and compares it
// with the file; with TORII_WRITE_DOCS set to anything it writes the file first:
//
//     TORII_WRITE_DOCS=1 build/asan/test/unit/unit-ground '[documents]'
#include "catch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/source_root.h"
#include "crypto/registry.h"
#include "packet/drop.h"

using namespace torii;

namespace {

using Row = std::vector<std::string>;

std::string code(std::string_view text) { return text.empty() ? "" : "`" + std::string{text} + "`"; }

std::string line(const Row& cells) {
    std::string out = "|";
    for (const std::string& cell : cells) out += " " + cell + " |";
    return out + "\n";
}

std::string table(const Row& heads, const std::vector<Row>& rows) {
    std::string out = line(heads) + line(Row(heads.size(), "---"));
    for (const Row& row : rows) out += line(row);
    return out;
}

constexpr std::string_view do_not_edit =
    "<!-- Drawn by test/unit/observe/documents_test.cc, which also says how to draw it anew. -->\n";

std::string drops_page() {
    std::vector<Row> rows;
    for (const DropInfo& drop : drop_table) {
        if (&drop == &info(Drop::none)) continue;
        const std::string name{drop.name};
        rows.push_back({"<a id=\"" + name + "\"></a>" + code(name), std::string{drop.advice}});
    }
    return std::string{do_not_edit} +
           "# Drops: why a packet ended here\n\n"
           "No packet disappears without one of these names. Each is a counter for every worker and for the control "
           "core:\n"
           "`torii show drops` lists those that happened, `torii show drops --all` lists all. The names and sentences "
           "stand\nin [lib/packet/drop.h](../lib/packet/drop.h), in the order a packet meets them, more or less.\n\n" +
           table({"reason", "what it means, and what to check"}, rows);
}

/// "128, 192, 256" or "40 to 448 in steps of 8".
std::string lengths(KeyBits bits) {
    if (bits.high == 0) return "none";
    if (bits.step == 0) return std::to_string(bits.low);
    if ((bits.high - bits.low) / bits.step > 3)
        return std::to_string(bits.low) + " to " + std::to_string(bits.high) + " in steps of " +
               std::to_string(bits.step);
    std::string out;
    for (unsigned at = bits.low; at <= bits.high; at += bits.step)
        out += (out.empty() ? "" : ", ") + std::to_string(at);
    return out;
}

std::string octets(unsigned count) { return count == 0 ? "-" : std::to_string(count); }
std::string legacy(bool is) { return is ? "yes" : ""; }

std::string algorithms_page() {
    std::vector<Row> encryption, authentication;
    for (const CipherInfo& c : ciphers())
        encryption.push_back({code(c.name), code(c.alias), lengths(c.key_bits), octets(c.salt_octets * 8u),
                              octets(c.iv_octets), octets(c.icv_octets), std::to_string(c.block_octets),
                              octets(c.pfkey), legacy(c.legacy())});
    for (const AuthInfo& a : auths())
        authentication.push_back({code(a.name), code(a.alias), lengths(a.key_bits), octets(a.icv_octets),
                                  octets(a.pfkey), legacy(a.legacy())});
    return std::string{do_not_edit} +
           "# Algorithms\n\n"
           "What `setkey` and the control seam offer, from the registry in\n"
           "[lib/crypto/registry.cc](../lib/crypto/registry.cc). `torii show crypto` tells which implementation of "
           "each "
           "was chosen\non a machine.\n\n"
           "## Ciphers (`-E`)\n\n"
           "Key lengths are what `setkey` takes: with the salt, which stands at the key's end.\n\n" +
           table({"name", "also called", "key, bits", "of them salt", "IV, octets", "ICV, octets", "padded to, octets",
                  "PF_KEY", "legacy"},
                 encryption) +
           "\n## Authenticators (`-A`)\n\n" +
           table({"name", "also called", "key, bits", "ICV, octets", "PF_KEY", "legacy"}, authentication) +
           "\nA cipher that has an ICV of its own takes no authenticator, and `null` with `null` is no ESP (RFC 4303 "
           "3.2):"
           "\nboth are refused. *Legacy* is what RFC 8221 forbids or advises against: there to talk to old peers, not "
           "for new\ntunnels.\n";
}

void keep(const std::string& path, const std::string& page) {
    const std::filesystem::path file = std::filesystem::path{TORII_SOURCE_ROOT} / path;
    if (std::getenv("TORII_WRITE_DOCS") != nullptr) std::ofstream{file} << page;
    std::ostringstream there;
    there << std::ifstream{file}.rdbuf();
    INFO(path << " is not what the table says; the head of this file tells how to draw it anew");
    CHECK(there.str() == page);
}

}  // namespace

TEST_CASE("docs/drops.md has every drop with its advice, and no other", "[documents]") {
    keep("docs/drops.md", drops_page());
}

TEST_CASE("docs/algorithms.md has every algorithm as the registry knows it", "[documents]") {
    keep("docs/algorithms.md", algorithms_page());
}
