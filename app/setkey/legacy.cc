// What RFC 8221 would rather not see in use, and the operator's leave to use it.
#include <set>

#include "app/setkey/setkey.h"
#include "crypto/registry.h"

namespace torii::setkey {
namespace {

using control::SaSpec;

/// "esp-old", "3des-cbc", "aes-cbc without integrity"; empty when nothing is wrong with it. A cipher that stands alone
/// leaves packets to whoever cares to alter them (RFC 4303 1; RFC 8221 4).
std::string legacy_of(const SaSpec& spec) {
    if (spec.old) return std::string{name_of(spec.id.protocol)} + "-old";
    const CipherInfo& cipher = info(spec.cipher);
    const AuthInfo& auth = info(spec.auth);
    if (cipher.legacy()) return std::string{cipher.name};
    if (auth.legacy()) return std::string{auth.name};
    if (spec.cipher != CipherId::null && !cipher.aead() && spec.auth == AuthId::null)
        return std::string{cipher.name} + " without integrity";
    return {};
}

bool protects_nothing(const SaSpec& spec) {
    return spec.id.protocol == IpsecProtocol::esp && spec.cipher == CipherId::null && spec.auth == AuthId::null;
}

}  // namespace

Result<std::string> check_legacy(const Program& program, bool allowed) {
    std::set<std::string> kinds;
    std::size_t count = 0;
    for (const control::Located& located : program.operations) {
        const SaSpec* const spec = spec_of(located.operation);
        if (spec != nullptr && protects_nothing(*spec))
            return fail(Errc::unsupported,
                        located.where + ": ESP with neither cipher nor authenticator protects nothing (RFC 4303 3.2)");
        const std::string kind = spec == nullptr ? "" : legacy_of(*spec);
        if (kind.empty()) continue;
        if (!allowed && !program.legacy)
            return fail(Errc::unsupported, located.where + ": " + kind +
                                               " is legacy (RFC 8221): it needs ipsec.legacy = true in the "
                                               "configuration, or the comment \"# torii: legacy\" in this text");
        ++count;
        kinds.insert(kind);
    }
    if (count == 0) return std::string{};
    std::string list;
    for (const std::string& kind : kinds) list += (list.empty() ? "" : ", ") + kind;
    return std::to_string(count) + " SAs are legacy, which RFC 8221 forbids or advises against: " + list +
           ". Use them for old peers only.";
}

}  // namespace torii::setkey
