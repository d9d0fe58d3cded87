// Pre-shared keys: racoon's psk.txt (`ID KEY` a line) and its look-up. Text comes in; who reads the file judges its
// owner and mode (app/ike). Control thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret_bytes.h"
#include "ike/credentials/identity.h"

namespace torii::ike {

class SharedKeys {
public:
    /// `ID<blank>KEY` a line; `#` begins a comment at the start of a line; KEY may hold blanks, and is hexadecimal
    /// behind 0x. `name` stands in errors: "psk.txt:3: there is no key behind the identifier". Whole or not at all.
    static Result<SharedKeys> parse(std::string_view text, std::string_view name);
    /// The key for a peer: by his identity first, then by his address, then the entry "*", if there is one. Null: none.
    const SecretBytes* find(const Id& peer, const Address& address) const;
    std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        std::optional<Id> id;  // none: "*"
        SecretBytes key;
    };
    std::vector<Entry> entries_;
};

}  // namespace torii::ike
