// The configuration file: a libconfig text becomes a checked torii::Configuration, or one error that lists everything
// wrong with it, each line with file, line, setting, what is wrong and what would be right. docs/configuration.md is
// the operator's side of it. Any thread; reads the file and nothing else.
#pragma once

#include <string>
#include <string_view>

#include "app/config/ike_form.h"
#include "base/error.h"

namespace torii::config {

/// How many CPU cores this machine has: what `gateway.cores` may name.
unsigned machine_cores();

/// Reads and checks the file at `path`. The configuration's own file names (setkey_file, control.socket, log.file,
/// those of ike) come back absolute: relative ones count from the configuration file's folder. Errors: io (cannot be
/// read), bad_syntax (does not parse), bad_value (all wrong settings, a line each, 20 at most).
Result<File> read(const std::string& path, unsigned cores = machine_cores());

/// The same for a text at hand. `name` stands for the file in errors, and its folder for the file's folder.
Result<File> from_text(std::string_view text, const std::string& name, unsigned cores = machine_cores());

/// What was understood, on one screen: for `toriid --check FILE`. Ends with a newline.
std::string summary(const File& file);

}  // namespace torii::config
