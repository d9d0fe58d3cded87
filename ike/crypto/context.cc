#include "ike/crypto/context.h"

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <string>

#include "ike/crypto/openssl.h"

namespace torii::ike {
namespace {

// ---- A provider of one generator, for tests: a ChaCha20 key stream. All of a library's generators (primary, public,
// private, in whatever thread) draw from the one stream of their provider, so what comes is a matter of the seed and of
// the order of draws alone. OpenSSL's own TEST-RAND is no help: in 3.0 it ends where its given entropy ends.

constexpr const char* provider_name = "torii-seeded";
constexpr const char* generator_name = "TORII-SEEDED";
constexpr std::size_t largest_draw = 1 << 16;

class Stream {
public:
    bool seed(std::uint64_t seed) {
        const std::lock_guard lock{mutex_};
        // The default library's algorithms: this one's generator cannot wait for itself.
        const CipherPtr cipher{EVP_CIPHER_fetch(nullptr, "ChaCha20", nullptr)};
        context_.reset(EVP_CIPHER_CTX_new());
        std::array<unsigned char, 32> key{};
        const std::array<unsigned char, 16> iv{};
        for (std::size_t i = 0; i < 8; ++i) key[i] = static_cast<unsigned char>(seed >> (8 * i));
        seeded_ = cipher && context_ &&
                  EVP_EncryptInit_ex2(context_.get(), cipher.get(), key.data(), iv.data(), nullptr) == 1;
        return seeded_;
    }
    bool draw(unsigned char* out, std::size_t octets) {
        const std::lock_guard lock{mutex_};
        int written = 0;
        std::memset(out, 0, octets);
        return seeded_ && EVP_EncryptUpdate(context_.get(), out, &written, out, static_cast<int>(octets)) == 1 &&
               written == static_cast<int>(octets);
    }

private:
    std::mutex mutex_;
    CipherContext context_;
    bool seeded_ = false;
};

void* generator_new(void* stream, void*, const OSSL_DISPATCH*) { return stream; }
void generator_free(void*) {}  // the stream is the provider's
int generator_instantiate(void*, unsigned int, int, const unsigned char*, std::size_t, const OSSL_PARAM[]) { return 1; }
int generator_uninstantiate(void*) { return 1; }
int generator_generate(void* stream, unsigned char* out, std::size_t octets, unsigned int, int, const unsigned char*,
                       std::size_t) {
    return static_cast<Stream*>(stream)->draw(out, octets) ? 1 : 0;
}
int generator_reseed(void*, int, const unsigned char*, std::size_t, const unsigned char*, std::size_t) { return 1; }
int generator_lock(void*) { return 1; }
void generator_unlock(void*) {}
int generator_params(void*, OSSL_PARAM params[]) {
    OSSL_PARAM* p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE);
    if (p != nullptr && OSSL_PARAM_set_int(p, EVP_RAND_STATE_READY) != 1) return 0;
    p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH);
    if (p != nullptr && OSSL_PARAM_set_uint(p, 256) != 1) return 0;
    p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);
    return p == nullptr || OSSL_PARAM_set_size_t(p, largest_draw) == 1 ? 1 : 0;
}

template <class Function>
OSSL_DISPATCH entry(int id, Function* function) {
    return {id, reinterpret_cast<void (*)()>(function)};
}

const OSSL_ALGORITHM* provider_query(void*, int operation, int* no_cache) {
    static const OSSL_DISPATCH functions[] = {entry(OSSL_FUNC_RAND_NEWCTX, generator_new),
                                              entry(OSSL_FUNC_RAND_FREECTX, generator_free),
                                              entry(OSSL_FUNC_RAND_INSTANTIATE, generator_instantiate),
                                              entry(OSSL_FUNC_RAND_UNINSTANTIATE, generator_uninstantiate),
                                              entry(OSSL_FUNC_RAND_GENERATE, generator_generate),
                                              entry(OSSL_FUNC_RAND_RESEED, generator_reseed),
                                              entry(OSSL_FUNC_RAND_ENABLE_LOCKING, generator_lock),
                                              entry(OSSL_FUNC_RAND_LOCK, generator_lock),
                                              entry(OSSL_FUNC_RAND_UNLOCK, generator_unlock),
                                              entry(OSSL_FUNC_RAND_GET_CTX_PARAMS, generator_params),
                                              {0, nullptr}};
    static const OSSL_ALGORITHM algorithms[] = {{generator_name, "provider=torii-seeded", functions, nullptr},
                                                {nullptr, nullptr, nullptr, nullptr}};
    *no_cache = 0;
    return operation == OSSL_OP_RAND ? algorithms : nullptr;
}
void provider_teardown(void* stream) { delete static_cast<Stream*>(stream); }

int provider_init(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** out, void** provider) {
    static const OSSL_DISPATCH functions[] = {entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
                                              entry(OSSL_FUNC_PROVIDER_TEARDOWN, provider_teardown),
                                              {0, nullptr}};
    *out = functions;
    *provider = new Stream;
    return 1;
}

}  // namespace

struct CryptoContext::Found {
    std::map<std::string, CipherPtr, std::less<>> ciphers;
    std::map<std::string, DigestPtr, std::less<>> digests;
    std::map<std::pair<std::string, std::string>, MacContext> macs;
    std::map<std::string, PkeyContext, std::less<>> key_makers;
};

CryptoContext::CryptoContext(ossl_lib_ctx_st* library) : found_(std::make_unique<Found>()), library_(library) {}

const EVP_CIPHER* CryptoContext::cipher(const char* name) {
    auto known = found_->ciphers.find(name);
    if (known == found_->ciphers.end())
        known = found_->ciphers.emplace(name, EVP_CIPHER_fetch(library_, name, nullptr)).first;
    return known->second.get();
}

const EVP_MD* CryptoContext::digest(const char* name) {
    auto known = found_->digests.find(name);
    if (known == found_->digests.end())
        known = found_->digests.emplace(name, EVP_MD_fetch(library_, name, nullptr)).first;
    return known->second.get();
}

EVP_MAC_CTX* CryptoContext::mac(const char* name, const char* parameter, const char* value) {
    const auto key = std::pair<std::string, std::string>{name, value};
    if (const auto known = found_->macs.find(key); known != found_->macs.end()) return known->second.get();
    const MacPtr algorithm{EVP_MAC_fetch(library_, name, nullptr)};
    MacContext made{algorithm ? EVP_MAC_CTX_new(algorithm.get()) : nullptr};
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(parameter, const_cast<char*>(value), 0),
                                 OSSL_PARAM_construct_end()};
    if (made && EVP_MAC_CTX_set_params(made.get(), params) != 1) made.reset();
    return found_->macs.emplace(key, std::move(made)).first->second.get();
}

EVP_PKEY_CTX* CryptoContext::key_maker(const char* group, const std::function<EVP_PKEY_CTX*()>& make) {
    auto known = found_->key_makers.find(group);
    if (known == found_->key_makers.end()) known = found_->key_makers.emplace(group, make()).first;
    return known->second.get();
}

Result<std::unique_ptr<CryptoContext>> CryptoContext::system() {
    if (RAND_status() != 1) return openssl_failed("draw randomness: its generator is not seeded");
    return std::unique_ptr<CryptoContext>{new CryptoContext{nullptr}};
}

Result<std::unique_ptr<CryptoContext>> CryptoContext::deterministic(std::uint64_t seed) {
    std::unique_ptr<CryptoContext> made{new CryptoContext{OSSL_LIB_CTX_new()}};
    OSSL_LIB_CTX* const library = made->library_;
    if (library == nullptr || OSSL_PROVIDER_add_builtin(library, provider_name, provider_init) != 1)
        return openssl_failed("make a library context");
    for (const char* const name : {"default", provider_name}) {
        OSSL_PROVIDER* const provider = OSSL_PROVIDER_load(library, name);
        if (provider == nullptr) return openssl_failed(std::string{"load its provider "} + name);
        made->providers_.push_back(provider);
    }
    auto* const stream = static_cast<Stream*>(OSSL_PROVIDER_get0_provider_ctx(made->providers_.back()));
    if (!stream->seed(seed)) return openssl_failed("run ChaCha20");
    // Before the first draw: a generator keeps its type once it is made.
    if (RAND_set_DRBG_type(library, generator_name, nullptr, nullptr, nullptr) != 1 ||
        RAND_get0_primary(library) == nullptr)
        return openssl_failed("draw from a generator of our own");
    return made;
}

CryptoContext::~CryptoContext() {
    found_.reset();  // before the library that it was found in
    if (library_ == nullptr) return;
    for (auto provider = providers_.rbegin(); provider != providers_.rend(); ++provider)
        OSSL_PROVIDER_unload(*provider);
    OSSL_LIB_CTX_free(library_);
}

void CryptoContext::fill(std::span<std::byte> out) {
    while (!out.empty()) {
        const std::size_t now = std::min(out.size(), largest_draw);
        if (RAND_bytes_ex(library_, octets(out.data()), now, 0) != 1) {
            std::fputs("ike: OpenSSL's random generator failed, and nothing is safe without it: ending\n", stderr);
            std::abort();
        }
        out = out.subspan(now);
    }
}

std::uint64_t CryptoContext::number() {
    std::uint64_t drawn = 0;
    fill(std::as_writable_bytes(std::span{&drawn, 1}));
    return drawn;
}

std::uint64_t CryptoContext::below(std::uint64_t bound) {
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    const std::uint64_t even = most - most % bound;  // below this each remainder is there equally often
    std::uint64_t drawn = number();
    while (drawn >= even) drawn = number();
    return drawn % bound;
}

}  // namespace torii::ike
