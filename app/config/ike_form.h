// What the section `ike` of a configuration file says, before any file that it names is read: words that only the IKE
// library understands are still words, with app/ike to judge them. Values; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gateway/configuration.h"
#include "ike/v2/connection.h"

namespace torii::config {

struct IkeChildForm {
    ike::ChildConfig child;              // but for its proposals
    std::vector<std::string> proposals;  // none: the usual ones
};

struct IkeConnectionForm {
    ike::Connection connection;  // but for its children, identities, proposals, keys and ways to authenticate
    std::string local_id, remote_id, ppk_id;
    ike::AuthWay auth = ike::AuthWay::shared_key;
    std::optional<ike::AuthWay> remote_auth;  // none: as `auth`
    std::string certificate, key, key_passphrase_file, peers_key;
    std::vector<std::string> proposals;
    bool legacy = false;
    std::vector<IkeChildForm> children;
};

/// Paths are absolute.
struct IkeForm {
    bool is_there = false;
    std::string psk_file, ppk_file, key_log;
    std::vector<std::string> authorities, revocations;
    std::vector<IkeConnectionForm> connections;
    ike::EngineConfig engine;  // but for its connections
};

/// A whole file: the gateway's part, IKE's, and where each setting stands, for whoever finds out more about them.
struct File : Configuration {
    IkeForm ike;
    std::string file_name;
    std::map<std::string, unsigned> lines;  // by path
};

}  // namespace torii::config
