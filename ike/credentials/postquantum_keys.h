// Post-quantum pre-shared keys (RFC 8784): `PPK_ID KEY` a line, in psk.txt's form. They prove nobody's identity; mixed
// into the keys of an IKE SA they keep its children secret from whoever can undo the key exchange one day. Text comes
// in; who reads the file judges its owner and mode (app/ike). Control thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/secret_bytes.h"
#include "ike/message/payloads.h"

namespace torii::ike {

class PostquantumKeys {
public:
    /// As many octets as 256 bits of entropy need at least: half as many bits are left against Grover's algorithm
    /// (RFC 8784 6).
    static constexpr std::size_t least_octets = 32;

    /// `name` stands in errors, as in SharedKeys::parse. Whole or not at all.
    static Result<PostquantumKeys> parse(std::string_view text, std::string_view name);
    /// Octet for octet. Null: there is none of that name.
    const SecretBytes* find(const Octets& id) const;
    std::size_t size() const { return entries_.size(); }
    /// "office-2026, laptops": what there is, for an error.
    std::string names() const;

private:
    struct Entry {
        Octets id;
        SecretBytes key;
    };
    std::vector<Entry> entries_;
};

/// A PPK_ID in an operator's words: text, or octets behind 0x. Errc::bad_value: none, or longer than 255 octets.
Result<Octets> parse_ppk_id(std::string_view words);
/// As parse_ppk_id takes it; what is no plain text as 0x..., so that a peer's fits a line of a log.
std::string text_of_ppk_id(const Octets& id);

}  // namespace torii::ike
