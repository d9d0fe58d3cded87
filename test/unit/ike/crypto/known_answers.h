// What known_answers.py computed (known_answers.inc).
#pragma once

#include "ike/crypto/transforms.h"

namespace torii::ike::test {

struct Agreement {
    KeMethod method;
    const char *one, *other;  // private values
    const char *ones_public, *others_public, *secret;
    const char* p_minus_1;
};
struct Derivation {
    const char* suite;
    const char *first, *rekeyed;            // key material of an IKE SA and of the one that replaces it
    const char *child, *child_of_exchange;  // of a child SA without a key exchange and with one
};
#include "known_answers.inc"

}  // namespace torii::ike::test
