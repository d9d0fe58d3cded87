// setkey texts as toriid takes them, from its own file and from the control socket: what it refuses, what it warns of,
// and what it says about it in the log. Control thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "app/rpc/methods.h"
#include "app/setkey/setkey.h"
#include "gateway/configuration.h"

namespace torii {

/// Does what `text` says, whole or not at all, and nothing where it only asks for a check. Legacy SAs and files that
/// others may read are judged by `configuration`. Warnings go to the log as well.
Result<rpc::SetkeyAnswer> run_statements(control::ControlPlane& control, const Configuration& configuration,
                                         const rpc::SetkeyText& text, rpc::Keys keys);

/// The configuration's setkey file, parsed and judged; empty where there is none. Host names are refused: nobody is
/// there to look them up. Errors name the file, and the line where there is one.
Result<setkey::Program> read_statements(const Configuration& configuration);

/// Puts the configuration's setkey file in the place of all that the gateway has, in one transaction.
/// But for what `keeps` says is somebody else's.
struct Keeps {
    std::function<bool(const control::SaId&)> sa;
    std::function<bool(const Policy&)> policy;
};
Result<void> load_statements(control::ControlPlane& control, const Configuration& configuration,
                             const Keeps& keeps = {});

/// The language for the control socket. Both are borrowed for as long as the answer is used.
rpc::Setkey setkey_language(control::ControlPlane& control, const Configuration& configuration);

}  // namespace torii
