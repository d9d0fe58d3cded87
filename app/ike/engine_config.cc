#include "app/ike/engine_config.h"

#include <openssl/evp.h>

#include <array>
#include <memory>
#include <set>

#include "app/config/problems.h"
#include "app/ike/secret_file.h"
#include "ike/credentials/identity.h"

namespace torii::config {
namespace {

using ike::AuthWay;
using ike::ChildConfig;
using ike::Connection;

std::string element(std::string_view list, std::size_t i) { return std::string{list} + ".[" + std::to_string(i) + "]"; }

constexpr std::size_t most_dns = 8;  // what a client keeps, too

std::span<const std::byte> octets_of(const std::string& text) { return std::as_bytes(std::span{text}); }

/// The first line, which is all of a passphrase.
SecretText first_line(const SecretText& text) {
    const std::string_view all = text.view();
    return SecretText{std::string{all.substr(0, all.find_first_of("\r\n"))}};
}

std::set<Family> families_of(const std::vector<Prefix>& networks) {
    std::set<Family> out;
    for (const Prefix& network : networks) out.insert(network.base().family());
    return out;
}

/// So that a reload sees that a file has changed, and nobody sees what is in it.
std::string digest_of(std::string_view text) {
    std::array<unsigned char, 32> digest{};
    unsigned octets = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &octets, EVP_sha256(), nullptr);
    return {reinterpret_cast<const char*>(digest.data()), octets};
}

/// One reading of the section; its members tell what is wrong and go on.
class Loading {
public:
    Loading(const File& file, ike::CryptoContext& context)
        : file_(file), form_(file.ike), context_(context), problems_(file.lines) {}

    Result<ike::EngineConfig> run() {
        ike::EngineConfig out = form_.engine;
        shared_keys();
        postquantum_keys();
        authorities();
        std::set<std::string_view> names;
        for (std::size_t i = 0; i < form_.connections.size(); ++i) {
            const IkeConnectionForm& form = form_.connections[i];
            const std::string path = element("ike.connections", i);
            if (!names.insert(form.connection.name).second) stands_twice(path, form.connection.name);
            out.connections.push_back(connection(form, path));
        }
        if (!problems_.none()) return std::unexpected(problems_.error(Errc::bad_value, file_.file_name));
        return out;
    }

private:
    // ---- what all connections share

    void shared_keys() {
        if (form_.psk_file.empty()) return;
        const auto text = read_secret_file(form_.psk_file);
        if (!text) return wrong("ike.psk_file", text.error());
        auto keys = ike::SharedKeys::parse(text->view(), form_.psk_file);
        if (!keys) return wrong("ike.psk_file", keys.error());
        shared_keys_ = std::make_shared<const ike::SharedKeys>(*std::move(keys));
    }

    void postquantum_keys() {
        if (form_.ppk_file.empty()) return;
        const auto text = read_secret_file(form_.ppk_file);
        if (!text) return wrong("ike.ppk_file", text.error());
        auto keys = ike::PostquantumKeys::parse(text->view(), form_.ppk_file);
        if (!keys) return wrong("ike.ppk_file", keys.error());
        postquantum_keys_ = std::make_shared<const ike::PostquantumKeys>(*std::move(keys));
    }

    void authorities() {
        if (form_.authorities.empty()) {
            if (!form_.revocations.empty())
                problems_.add("ike.revocations", "are of no authority: name its certificate in ike.authorities");
            return;
        }
        auto store = std::make_shared<ike::TrustStore>(context_);
        for (std::size_t i = 0; i < form_.authorities.size(); ++i) {
            const auto certificates = certificates_of(element("ike.authorities", i), form_.authorities[i]);
            for (const ike::Certificate& authority : certificates) store->add_authority(authority);
        }
        for (std::size_t i = 0; i < form_.revocations.size(); ++i) {
            const std::string path = element("ike.revocations", i);
            const auto text = read_public_file(form_.revocations[i]);
            if (!text)
                wrong(path, text.error());
            else if (const auto added = store->add_revocations(octets_of(*text)); !added)
                wrong(path, form_.revocations[i], added.error());
        }
        trust_ = std::move(store);
    }

    std::vector<ike::Certificate> certificates_of(const std::string& path, const std::string& file) {
        const auto text = read_public_file(file);
        if (!text) return wrong(path, text.error()), std::vector<ike::Certificate>{};
        files_ += digest_of(*text);
        auto certificates = ike::Certificate::parse_pem(context_, *text);
        if (!certificates) return wrong(path, file, certificates.error()), std::vector<ike::Certificate>{};
        return *std::move(certificates);
    }

    // ---- one connection

    std::shared_ptr<const Connection> connection(const IkeConnectionForm& form, const std::string& path) {
        auto out = std::make_shared<Connection>(form.connection);
        out->local_auth = form.auth;
        out->remote_auth = form.remote_auth.value_or(form.auth);
        out->local_id = id(form.local_id, path + ".local_id");
        out->remote_id = id(form.remote_id, path + ".remote_id");
        if (out->local && out->remote && out->local->family() != out->remote->family())
            problems_.add(path + ".remote", "is " + out->remote->text() + ", of another family than the local end");
        if (out->local && out->local == out->remote)
            problems_.add(path + ".remote", "is the local end: the gateway is not its own peer");
        addresses_to_move_to(path, *out);
        files_.clear();
        out->shared_keys = shared_keys_;
        out->trust = trust_;
        prove_ourselves(form, path, *out);
        believe_peer(form, path, *out);
        use_ppk(form, path, *out);
        judge_addresses(path, *out);
        const auto legacy = form.legacy ? ike::LegacyAlgorithms::allowed : ike::LegacyAlgorithms::refused;
        out->proposals = proposals(form.proposals, path + ".proposals", ike::default_ike_proposals,
                                   [&](const auto& words) { return ike::parse_ike_proposal(words, legacy); });
        std::set<std::string_view> names;
        for (std::size_t i = 0; i < form.children.size(); ++i) {
            const std::string child_path = element(path + ".children", i);
            if (!names.insert(form.children[i].child.name).second)
                stands_twice(child_path, form.children[i].child.name);
            out->children.push_back(child(form.children[i], child_path, legacy, *out));
        }
        out->fingerprint = digest_of(files_);
        return out;
    }

    void addresses_to_move_to(const std::string& path, const Connection& out) {
        if (out.other_locals.empty()) return;
        if (!out.mobike || !out.local)
            return problems_.add(path + ".other_locals", "are for `mobike = true` and a connection with a local end");
        for (const Address& address : out.other_locals)
            if (address.family() != out.local->family() || address == out.remote)
                problems_.add(path + ".other_locals",
                              "has " + address.text() + ", which is of another family than local, or the peer's");
    }

    std::optional<ike::Id> id(const std::string& words, const std::string& path) {
        if (words.empty()) return std::nullopt;
        auto parsed = ike::parse_id(words);
        if (parsed) return *std::move(parsed);
        wrong(path, in_quotes(words), parsed.error());
        return std::nullopt;
    }

    /// Each list of words is offered in its order.
    template <class Usual, class Parse>
    std::vector<ike::Proposal> proposals(const std::vector<std::string>& lists, const std::string& path, Usual usual,
                                         Parse parse) {
        if (lists.empty()) return usual();
        std::vector<ike::Proposal> out;
        for (std::size_t i = 0; i < lists.size(); ++i) {
            auto parsed = parse(lists[i]);
            if (!parsed) {
                wrong(element(path, i), in_quotes(lists[i]), parsed.error());
                continue;
            }
            out.push_back(*std::move(parsed));
        }
        return out;
    }

    void prove_ourselves(const IkeConnectionForm& form, const std::string& path, Connection& out) {
        if (form.auth == AuthWay::shared_key) {
            if (form_.psk_file.empty())
                problems_.add(path, "proves itself by a pre-shared key: ike.psk_file names none");
            return;
        }
        const std::string_view way = form.auth == AuthWay::certificate ? "a certificate" : "a raw key";
        if (form.key.empty())
            return problems_.add(path,
                                 "proves itself by " + std::string{way} + ": key names the file of the private key");
        if (form.auth == AuthWay::certificate && form.certificate.empty())
            return problems_.add(path, "proves itself by a certificate: certificate names its file");
        auto key = private_key(form, path);
        std::vector<ike::Certificate> chain;
        if (form.auth == AuthWay::certificate) chain = certificates_of(path + ".certificate", form.certificate);
        if (!key || problems_.under(path + ".certificate")) return;
        auto own = ike::OwnKey::make(*std::move(key), std::move(chain));
        if (!own) return wrong(path + ".certificate", form.certificate, own.error());
        out.own_key = std::make_shared<const ike::OwnKey>(*std::move(own));
    }

    std::optional<ike::PrivateKey> private_key(const IkeConnectionForm& form, const std::string& path) {
        const auto pem = read_secret_file(form.key);
        if (!pem) wrong(path + ".key", pem.error());
        if (pem) files_ += digest_of(pem->view());
        std::optional<SecretText> passphrase;
        if (!form.key_passphrase_file.empty()) {
            const auto text = read_secret_file(form.key_passphrase_file);
            if (!text) wrong(path + ".key_passphrase_file", text.error());
            if (text) passphrase.emplace(first_line(*text));
        }
        if (!pem || problems_.under(path + ".key_passphrase_file")) return std::nullopt;
        auto key = ike::PrivateKey::parse(context_, *pem, passphrase ? &*passphrase : nullptr);
        if (key) return *std::move(key);
        wrong(path + ".key", form.key, key.error());
        return std::nullopt;
    }

    void believe_peer(const IkeConnectionForm& form, const std::string& path, Connection& out) {
        switch (out.remote_auth) {
            case AuthWay::shared_key:
                if (form_.psk_file.empty() && form.auth != AuthWay::shared_key)
                    problems_.add(path, "takes the peer's pre-shared key: ike.psk_file names none");
                return;
            case AuthWay::certificate:
                if (form_.authorities.empty())
                    problems_.add(path, "takes the peer's certificate: ike.authorities names nobody to believe");
                return;
            case AuthWay::raw_key: break;
        }
        if (form.peers_key.empty())
            return problems_.add(path, "takes the peer's raw key: peers_key names the file of his public key");
        const auto text = read_public_file(form.peers_key);
        if (!text) return wrong(path + ".peers_key", text.error());
        files_ += digest_of(*text);
        auto key = ike::PublicKey::parse(context_, octets_of(*text));
        if (!key) return wrong(path + ".peers_key", form.peers_key, key.error());
        out.peers_key = std::make_shared<const ike::PublicKey>(*std::move(key));
    }

    void use_ppk(const IkeConnectionForm& form, const std::string& path, Connection& out) {
        if (out.ppk == ike::PpkUse::never) {
            if (!form.ppk_id.empty()) problems_.add(path + ".ppk_id", "names a PPK that ppk = \"never\" leaves alone");
            return;
        }
        if (form_.ppk_file.empty()) return problems_.add(path + ".ppk", "wants a PPK: ike.ppk_file names no file");
        out.postquantum_keys = postquantum_keys_;
        if (form.ppk_id.empty()) {
            if (out.remote) problems_.add(path + ".ppk", "wants a PPK: ppk_id says which one of ike.ppk_file");
            return;
        }
        auto id = ike::parse_ppk_id(form.ppk_id);
        if (!id) return wrong(path + ".ppk_id", in_quotes(form.ppk_id), id.error());
        if (postquantum_keys_ != nullptr && postquantum_keys_->find(*id) == nullptr)
            problems_.add(path + ".ppk_id", "is " + in_quotes(form.ppk_id) + ", which is not in " + form_.ppk_file);
        out.ppk_id = *std::move(id);
    }

    void judge_addresses(const std::string& path, const Connection& out) {
        if (out.request_address && !out.pools.empty())
            problems_.add(path + ".request_address", "asks for an address, and pool lends some: a connection does one");
        if (out.request_address && !out.remote)
            problems_.add(path + ".request_address", "wants a gateway to ask: the connection's remote is any");
        if (out.pools.empty() && !out.dns.empty())
            problems_.add(path + ".dns", "is for peers who are lent an address: pool says of which network");
        if (out.dns.size() > most_dns) problems_.add(path + ".dns", "has more than 8 name servers");
        for (std::size_t i = 0; i < out.pools.size(); ++i) {
            const Prefix& pool = out.pools[i];
            for (const Prefix& other : pools_)
                if (other != pool && (other.contains(pool) || pool.contains(other)))
                    problems_.add(element(path + ".pool", i),
                                  "is " + pool.text() + ", and " + other.text() + " lends the same addresses");
            pools_.insert(pool);
        }
    }

    // ---- one child

    ChildConfig child(const IkeChildForm& form, const std::string& path, ike::LegacyAlgorithms legacy,
                      const Connection& around) {
        ChildConfig out = form.child;
        const auto usual = [&] { return ike::default_child_proposals(out.protocol); };
        out.proposals = proposals(form.proposals, path + ".proposals", usual, [&](const auto& words) {
            return ike::parse_child_proposal(out.protocol, words, legacy);
        });
        const bool has_networks = !out.local.empty() || !out.remote.empty();
        const bool lends = !around.pools.empty() && out.mode == Mode::tunnel && out.remote.empty();
        const bool borrows = around.request_address && out.mode == Mode::tunnel && out.local.empty();
        if (lends && out.start != ike::StartAction::none)
            problems_.add(path + ".start", "would begin with a peer who has no address before he asks for one");
        if (borrows && out.start == ike::StartAction::trap)
            problems_.add(path + ".start",
                          "is trap, and no policy can be made before the address is known: start or none");
        if (out.mode == Mode::tunnel && !has_networks && !lends && !borrows)
            problems_.add(path, "is a tunnel between no networks: local and remote name them, or mode is transport");
        if (out.mode == Mode::transport && has_networks)
            problems_.add(path, "is transport mode, between the two ends alone: neither local nor remote goes with it");
        if (!out.local.empty() && !out.remote.empty() && families_of(out.local) != families_of(out.remote))
            problems_.add(path + ".remote", "has networks of another family than local");
        if (around.mobike && (out.mode == Mode::transport || !out.makes_policies))
            problems_.add(path,
                          "cannot move with its connection (mobike): that is for tunnels whose policies IKE makes");
        const bool asks_for_ports = !out.local_ports.is_any() || !out.remote_ports.is_any();
        if (asks_for_ports && (!out.ip_protocol || !has_ports(*out.ip_protocol)))
            problems_.add(path, "has ports of no protocol: ip_protocol says which, as in ip_protocol = \"tcp\"");
        if (out.life_seconds <= out.rekey_seconds)
            problems_.add(path + ".life_seconds", "is " + std::to_string(out.life_seconds) +
                                                      ": it ends no later than rekey_seconds = " +
                                                      std::to_string(out.rekey_seconds) + " asks for the next");
        if (out.start != ike::StartAction::none && around.remote && !around.local)
            problems_.add(path + ".start", "wants an address to begin from: the connection's local is any");
        if (out.start != ike::StartAction::none && !around.remote)
            problems_.add(path + ".start", "wants a peer to begin with: the connection's remote is any");
        return out;
    }

    // ---- what is wrong

    void stands_twice(const std::string& path, std::string_view name) {
        problems_.add(path + ".name", "is " + in_quotes(name) + ", which stands before: each has a name of its own");
    }
    /// The error names the file itself.
    void wrong(const std::string& path, const Error& error) { problems_.add(path, "is wrong: " + error.message); }
    void wrong(const std::string& path, const std::string& what, const Error& error) {
        problems_.add(path, "is " + what + ": " + error.message);
    }

    const File& file_;
    const IkeForm& form_;
    ike::CryptoContext& context_;
    Problems problems_;
    std::shared_ptr<const ike::SharedKeys> shared_keys_;
    std::shared_ptr<const ike::PostquantumKeys> postquantum_keys_;
    std::shared_ptr<const ike::TrustStore> trust_;
    std::set<Prefix> pools_;  // of all connections
    std::string files_;       // digests of what was read for this connection alone: the engine compares the rest
};

}  // namespace

Result<ike::EngineConfig> load_ike(const File& file, ike::CryptoContext& context) {
    return Loading{file, context}.run();
}

}  // namespace torii::config
