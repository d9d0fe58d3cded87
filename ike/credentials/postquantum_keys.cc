#include "ike/credentials/postquantum_keys.h"

#include <algorithm>
#include <map>

#include "ike/credentials/hexadecimal.h"
#include "ike/credentials/secret_lines.h"

namespace torii::ike {
namespace {

constexpr std::size_t longest_id = 255;
constexpr std::size_t most_names = 8;  // of an error

bool is_plain(const Octets& id) {
    const auto plain = [](std::byte b) { return b > std::byte{' '} && b < std::byte{0x7f}; };
    return std::ranges::all_of(id, plain) && !(id.size() >= 2 && id[0] == std::byte{'0'} && id[1] == std::byte{'x'});
}

}  // namespace

Result<Octets> parse_ppk_id(std::string_view words) {
    const auto octets = parse_secret(words);
    if (!octets) return fail(Errc::bad_value, "octets behind 0x are pairs of hexadecimal digits");
    if (octets->empty() || octets->size() > longest_id)
        return fail(Errc::bad_value, "the name of a PPK has 1 to 255 octets");
    return Octets{octets->octets().begin(), octets->octets().end()};
}

std::string text_of_ppk_id(const Octets& id) {
    if (is_plain(id)) return std::string{reinterpret_cast<const char*>(id.data()), id.size()};
    return "0x" + hexadecimal_of(id);
}

Result<PostquantumKeys> PostquantumKeys::parse(std::string_view text, std::string_view name) {
    PostquantumKeys out;
    std::map<std::string, std::size_t> numbers;  // of the line where each name stood first
    SecretLines lines{text, name};
    for (;;) {
        TORII_TRY(const auto line, lines.next());
        if (!line) return out;
        Entry entry;
        auto id = parse_ppk_id(line->word);
        if (!id)
            return fail(Errc::bad_value, lines.where() +
                                             ": the first word is no name of a PPK: 1 to 255 octets, as text or as "
                                             "hexadecimal digits behind 0x");
        entry.id = *std::move(id);
        const auto [earlier, is_new] = numbers.try_emplace(text_of_ppk_id(entry.id), lines.number());
        if (!is_new)
            return fail(Errc::exists,
                        lines.where() + ": this PPK has a key in line " + std::to_string(earlier->second) + " already");
        auto key = parse_secret(line->key);
        if (!key) return std::unexpected(std::move(key).error().in(lines.where()));
        if (key->size() < least_octets)
            return fail(Errc::bad_key_length, lines.where() + ": a PPK has at least 32 octets, and this one has " +
                                                  std::to_string(key->size()) +
                                                  ": 0x$(openssl rand -hex 32) makes one");
        entry.key = *std::move(key);
        out.entries_.push_back(std::move(entry));
    }
}

const SecretBytes* PostquantumKeys::find(const Octets& id) const {
    const auto found = std::ranges::find(entries_, id, &Entry::id);
    return found == entries_.end() ? nullptr : &found->key;
}

std::string PostquantumKeys::names() const {
    std::string out;
    for (std::size_t i = 0; i < std::min(entries_.size(), most_names); ++i)
        out.append(i == 0 ? "" : ", ").append(text_of_ppk_id(entries_[i].id));
    if (entries_.size() > most_names) out += " and " + std::to_string(entries_.size() - most_names) + " more";
    return out.empty() ? "none" : out;
}

}  // namespace torii::ike
