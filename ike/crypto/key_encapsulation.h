// ML-KEM as a key exchange: who begins sends a key, who answers a ciphertext under it. Inside ike/crypto alone; the
// rest sees key_exchange.h.
#pragma once

#include "ike/crypto/key_exchange.h"

namespace torii::ike {

/// What a peer sent for it is of no use. Clears OpenSSL's errors.
std::unexpected<Error> refused(KeMethod method, const std::string& why);
std::unexpected<Error> refused_length(KeMethod method, std::size_t is, std::size_t wanted);

/// OpenSSL's name of the method; null: it encapsulates nothing.
const char* encapsulation_name(KeMethod method);

Result<std::unique_ptr<KeyExchange>> initiate_encapsulation(CryptoContext& context, KeMethod method);
Result<KeyExchange::Answer> respond_encapsulation(CryptoContext& context, KeMethod method, OctetView peers_key);
/// Of a given seed, d and z (FIPS 203 7.1).
Result<std::unique_ptr<KeyExchange>> encapsulation_of_seed(CryptoContext& context, KeMethod method, OctetView seed);

}  // namespace torii::ike
