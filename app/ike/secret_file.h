// Files that IKE's configuration names: secrets, which nobody else may read, and certificates, which anybody may.
// Control thread, at start and at reload.
#pragma once

#include <string>

#include "base/error.h"
#include "base/secret_bytes.h"

namespace torii::config {

inline constexpr std::size_t longest_key_file = 1 << 20;  // some 10,000 keys; an authority's list of revocations too

/// The text of a file of secrets, by racoon's rule: a regular file of whoever runs this program, or of root, with no
/// right for group or others. Else Errc::denied, with what to do: "is readable by others: chmod 600 FILE".
/// Errors besides: io, no_room (longer than a key file is).
Result<SecretText> read_secret_file(const std::string& path);

/// Whether what was opened as `path` may hold secrets by the same rule. Errors: denied, io.
Result<void> check_secret(int fd, const std::string& path);

/// The octets of a file that is no secret. Errors: io, no_room.
Result<std::string> read_public_file(const std::string& path);

}  // namespace torii::config
