#include "crypto/registry.h"
#include "catch.h"

using namespace torii;

TEST_CASE("key lengths are those that setkey and the NetBSD kernel take") {
    struct Row {
        CipherId id;
        std::vector<std::size_t> good, bad;
    };
    const std::vector<Row> rows{
        {CipherId::des_cbc, {64}, {0, 56, 72}},
        {CipherId::des3_cbc, {192}, {168, 184, 200}},
        {CipherId::null, {0}, {8, 128}},
        {CipherId::blowfish_cbc, {40, 48, 128, 440, 448}, {0, 32, 44, 456}},
        {CipherId::aes_cbc, {128, 192, 256}, {0, 120, 136, 160, 320}},
        {CipherId::des_deriv, {64}, {0, 56, 72}},
        {CipherId::cast128_cbc, {40, 48, 120, 128}, {0, 32, 44, 136}},
        {CipherId::camellia_cbc, {128, 192, 256}, {0, 120, 136, 264}},
        {CipherId::aes_ctr, {160, 224, 288}, {0, 128, 152, 168, 296}},
        {CipherId::aes_gcm_16, {160, 224, 288}, {0, 128, 192, 256, 320}},
        {CipherId::aes_gcm_12, {160, 224, 288}, {0, 128, 192, 256, 320}},
        {CipherId::aes_gcm_8, {160, 224, 288}, {0, 128, 192, 256, 320}},
        {CipherId::aes_ccm_16, {152, 216, 280}, {0, 128, 160, 224, 288}},
        {CipherId::aes_ccm_12, {152, 216, 280}, {0, 128, 160, 224, 288}},
        {CipherId::aes_ccm_8, {152, 216, 280}, {0, 128, 160, 224, 288}},
        {CipherId::chacha20_poly1305, {288}, {0, 256, 280, 296}},
        {CipherId::aes_gmac, {160, 224, 288}, {0, 128, 152, 168, 296}},
    };
    CHECK(rows.size() == ciphers().size());
    for (const Row& row : rows) {
        CAPTURE(info(row.id).name);
        for (const auto bits : row.good) CHECK(check_key(row.id, bits));
        for (const auto bits : row.bad) CHECK(check_key(row.id, bits).error().code == Errc::bad_key_length);
    }
}

TEST_CASE("authenticators take keys as long as their digest or block (RFC 2403, 2404, 4868 2.1.1, 3566, 4494)") {
    const std::pair<AuthId, std::size_t> rows[]{{AuthId::null, 0},
                                                {AuthId::hmac_md5, 128},
                                                {AuthId::hmac_sha1, 160},
                                                {AuthId::hmac_sha256, 256},
                                                {AuthId::hmac_sha384, 384},
                                                {AuthId::hmac_sha512, 512},
                                                {AuthId::hmac_sha256_96, 256},
                                                {AuthId::hmac_sha384_96, 384},
                                                {AuthId::hmac_sha512_96, 512},
                                                {AuthId::hmac_ripemd160, 160},
                                                {AuthId::aes_xcbc_mac, 128},
                                                {AuthId::aes_cmac, 128},
                                                {AuthId::keyed_md5, 128},
                                                {AuthId::keyed_sha1, 160},
                                                {AuthId::hmac_md5_128, 128},
                                                {AuthId::hmac_sha1_128, 160},
                                                {AuthId::keyed_md5_128, 128},
                                                {AuthId::keyed_sha1_128, 160}};
    CHECK(std::size(rows) == auths().size());
    for (const auto& [id, bits] : rows) {
        CAPTURE(info(id).name);
        CHECK(check_key(id, bits));
        CHECK_FALSE(check_key(id, bits + 8));
        if (bits != 0) CHECK_FALSE(check_key(id, bits - 8));
    }
}

TEST_CASE("a refused key length says which lengths would be right") {
    CHECK(check_key(CipherId::aes_cbc, 120).error().message == "aes-cbc takes keys of 128, 192 or 256 bits, not 120");
    CHECK(check_key(CipherId::des_cbc, 56).error().message == "des-cbc takes keys of 64 bits, not 56");
    CHECK(check_key(CipherId::blowfish_cbc, 32).error().message ==
          "blowfish-cbc takes keys of 40 to 448 bits in steps of 8, not 32");
    CHECK(check_key(CipherId::aes_gcm_16, 128).error().message ==
          "aes-gcm-16 takes keys of 160, 224 or 288 bits, the last 32 of them the salt, not 128");
    CHECK(check_key(CipherId::aes_ccm_8, 160).error().message ==
          "aes-ccm-8 takes keys of 152, 216 or 280 bits, the last 24 of them the salt, not 160");
    CHECK(check_key(CipherId::null, 8).error().message == "null takes no key, not 8 bits");
}

TEST_CASE("algorithms are found by name and alias, and an unknown name is answered with the known ones") {
    for (const CipherInfo& cipher : ciphers()) CHECK(cipher_named(cipher.name).value() == cipher.id);
    for (const AuthInfo& auth : auths()) CHECK(auth_named(auth.name).value() == auth.id);
    CHECK(cipher_named("rijndael-cbc").value() == CipherId::aes_cbc);
    CHECK(auth_named("hmac-sha2-256").value() == AuthId::hmac_sha256);
    CHECK(auth_named("hmac-sha2-384").value() == AuthId::hmac_sha384);
    CHECK(auth_named("hmac-sha2-512").value() == AuthId::hmac_sha512);
    CHECK(auth_named("hmac-sha2-256-96").value() == AuthId::hmac_sha256_96);
    CHECK(auth_named("hmac-sha2-384-96").value() == AuthId::hmac_sha384_96);
    CHECK(auth_named("hmac-sha2-512-96").value() == AuthId::hmac_sha512_96);
    for (const auto* nobody : {"", "AES-CBC", "aes", "hmac-sha1"}) CHECK_FALSE(cipher_named(nobody));
    CHECK_FALSE(auth_named(""));
    const Error unknown = cipher_named("rot13").error();
    CHECK(unknown.code == Errc::unsupported);
    CHECK(
        unknown.message ==
        "there is no cipher 'rot13'; there are null, des-cbc, des-deriv, 3des-cbc, blowfish-cbc, cast128-cbc, aes-cbc, "
        "camellia-cbc, aes-ctr, aes-gcm-16, aes-gcm-12, aes-gcm-8, aes-ccm-16, aes-ccm-12, aes-ccm-8, "
        "chacha20-poly1305, aes-gmac");
}

TEST_CASE("PF_KEY numbers are KAME's (RFC 2367 3.5 and its private range)") {
    const auto cipher = [](CipherId id) { return int{info(id).pfkey}; };
    CHECK(cipher(CipherId::des_cbc) == 2);
    CHECK(cipher(CipherId::des3_cbc) == 3);
    CHECK(cipher(CipherId::blowfish_cbc) == 7);
    CHECK(cipher(CipherId::null) == 11);
    CHECK(cipher(CipherId::aes_cbc) == 12);
    CHECK(cipher(CipherId::aes_gcm_16) == 20);
    CHECK(cipher(CipherId::des_deriv) == 2);  // told from des-cbc by a flag
    CHECK(cipher(CipherId::cast128_cbc) == 6);
    CHECK(cipher(CipherId::aes_ctr) == 13);
    CHECK(cipher(CipherId::camellia_cbc) == 22);
    CHECK(cipher(CipherId::aes_gmac) == 23);
    CHECK(cipher(CipherId::chacha20_poly1305) == 0);
    const auto auth = [](AuthId id) { return int{info(id).pfkey}; };
    CHECK(auth(AuthId::hmac_md5) == 2);
    CHECK(auth(AuthId::hmac_sha1) == 3);
    CHECK(auth(AuthId::hmac_sha256) == 5);
    CHECK(auth(AuthId::hmac_sha384) == 6);
    CHECK(auth(AuthId::hmac_sha512) == 7);
    CHECK(auth(AuthId::null) == 251);
    CHECK(auth(AuthId::hmac_ripemd160) == 8);
    CHECK(auth(AuthId::aes_xcbc_mac) == 9);
    CHECK(auth(AuthId::keyed_md5) == 249);
    CHECK(auth(AuthId::keyed_sha1) == 250);
}

TEST_CASE("what KAME's manual names and nobody offers is refused with the reason") {
    for (const auto* name : {"twofish-cbc", "3des-deriv"}) {
        CAPTURE(name);
        const Error refused = cipher_named(name).error();
        CHECK(refused.code == Errc::unsupported);
        CHECK(refused.message.starts_with(std::string{name} + " is not supported"));
    }
    CHECK(auth_named("tcp-md5").error().message == "tcp-md5 is not supported: it protects TCP (RFC 2385), not IPsec");
}

TEST_CASE("SA dumps call keyed hashes and derived IVs what KAME calls them") {
    for (const AuthInfo& auth : auths())
        if (auth.id != AuthId::keyed_md5 && auth.id != AuthId::keyed_sha1 && !auth.ah_old)
            CHECK(auth.printed == auth.name);
    for (const AuthId id : {AuthId::hmac_md5, AuthId::hmac_sha1, AuthId::keyed_md5, AuthId::keyed_sha1}) {
        const AuthInfo &usual = info(id), &old = info(ah_old_form(id));
        CHECK(old.ah_old);
        CHECK((old.printed == usual.printed && old.pfkey == usual.pfkey && old.icv_octets == 16));
    }
    CHECK(ah_old_form(AuthId::hmac_sha256) == AuthId::null);
    CHECK(info(AuthId::keyed_md5).printed == "md5");
    CHECK(info(AuthId::keyed_sha1).printed == "sha");
    CHECK(info(CipherId::des_deriv).printed == "des-cbc");
    CHECK(info(CipherId::aes_cbc).printed == "aes-cbc");
}
