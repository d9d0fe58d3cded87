// What a command says: answers to standard output, complaints to standard error. One thread.
#pragma once

#include <string>
#include <string_view>

namespace torii::cli {

/// What complaints begin with; "torii" until set. `name` must live on.
void speak_as(std::string_view name);

void print(std::string_view text);
/// "torii: TEXT", made printable, behind all that was printed so far.
void complain(std::string_view text);

/// Overwrites text that may hold keys.
void wipe_text(std::string& text);

}  // namespace torii::cli
