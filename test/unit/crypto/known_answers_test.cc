// Published vectors, laid out as ESP packets: what a cipher's vector calls plaintext is the text, and the first eight
// octets of an authenticator's data are the ESP header.
#include "packets.h"

using namespace torii;
using namespace torii::test;

namespace {

struct Published {
    const char* from;
    Suite suite;
    const char *cipher_key, *auth_key, *header, *iv, *text, *sealed;  // hexadecimal; sealed is text and ICV
    bool esn = false;
    std::uint32_t sequence_high = 0;
};

const Published published[]{
    {"RFC 3602 case 1",
     {CipherId::aes_cbc, AuthId::null, 128},
     "06a9214036b8a15b512e03d534120006",
     "",
     "0000000000000000",
     "3dafba429d9eb430b422da802c9fac41",
     "53696e676c6520626c6f636b206d7367",
     "e353779c1079aeb82708942dbe77181a"},
    {"RFC 3602 case 2",
     {CipherId::aes_cbc, AuthId::null, 128},
     "c286696d887c9aa0611bbb3e2025a45a",
     "",
     "0000000000000000",
     "562e17996d093d28ddb3ba695a2e6f58",
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1"},
    {"NIST SP 800-38A F.2.3",
     {CipherId::aes_cbc, AuthId::null, 192},
     "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
     "",
     "0000000000000000",
     "000102030405060708090a0b0c0d0e0f",
     "6bc1bee22e409f96e93d7e117393172a",
     "4f021db243bc633d7178183a9fa071e8"},
    {"NIST SP 800-38A F.2.5",
     {CipherId::aes_cbc, AuthId::null, 256},
     "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     "",
     "0000000000000000",
     "000102030405060708090a0b0c0d0e0f",
     "6bc1bee22e409f96e93d7e117393172a",
     "f58c4c04d6e5f1ba779eabfb5f7bfbd6"},
    {"FIPS 81 table C1",
     {CipherId::des_cbc, AuthId::null, 64},
     "0123456789abcdef",
     "",
     "0000000000000000",
     "1234567890abcdef",
     "4e6f77206973207468652074696d6520666f7220616c6c20",
     "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6"},
    {"SSLeay's destest",
     {CipherId::des3_cbc, AuthId::null, 192},
     "0123456789abcdeff1e0d3c2b5a49786fedcba9876543210",
     "",
     "0000000000000000",
     "fedcba9876543210",
     "37363534333231204e6f77206973207468652074696d6520666f722000000000",
     "3fe301c962ac01d02213763c1cbd4cdc799657c064ecf5d41c673812cfde9675"},
    {"Schneier's Blowfish vectors, CBC",
     {CipherId::blowfish_cbc, AuthId::null, 128},
     "0123456789abcdeff0e1d2c3b4a59687",
     "",
     "0000000000000000",
     "fedcba9876543210",
     "37363534333231204e6f77206973207468652074696d6520666f722000000000",
     "6b77b4d63006dee605b156e27403979358deb9e7154616d959f1652bd5ff92cc"},
    {"draft-mcgrew-gcm-test-01, extended sequence numbers",
     {CipherId::aes_gcm_16, AuthId::null, 128},
     "4c80cdefbb5d10da906ac73c3613a6342e443b68",
     "",
     "0000432100000000",
     "4956ed7e3b244cfe",
     "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f756470037369700963796265726"
     "369747902"
     "646b000021000101020201",
     "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff624"
     "7aeabb786"
     "b93bce61bc17d768fd9732459018148f6cbe722fd04796562dfdb4",
     true,
     0x87654321},
    {"draft-mcgrew-gcm-test-01",
     {CipherId::aes_gcm_16, AuthId::null, 192},
     "feffe9928665731c6d6a8f9467308308feffe9928665731ccafebabe",
     "",
     "0000a5f80000000a",
     "facedbaddecaf888",
     "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
     "a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc7795457b9652037f5318027b5b4cd7a63"
     "6"},
    {"draft-mcgrew-gcm-test-01",
     {CipherId::aes_gcm_16, AuthId::null, 256},
     "abbccddef00112233445566778899aababbccddef00112233445566778899aab11223344",
     "",
     "4a2cbfe300000002",
     "0102030405060708",
     "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b40101040201020201",
     "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8eb335f4eec"
     "fdbf831824b"
     "4c4915956c96"},
    {"RFC 2202 2, case 1",
     {CipherId::null, AuthId::hmac_md5, 0},
     "",
     "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
     "4869205468657265",
     "",
     "",
     "9294727a3638bb1c13f48ef8"},
    {"RFC 2202 3, case 1",
     {CipherId::null, AuthId::hmac_sha1, 0},
     "",
     "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
     "4869205468657265",
     "",
     "",
     "b617318655057264e28bc0b6"},
    {"RFC 4868 2.7.2.1, AUTH256-1",
     {CipherId::null, AuthId::hmac_sha256, 0},
     "",
     "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
     "4869205468657265",
     "",
     "",
     "198a607eb44bfbc69903a0f1cf2bbdc5"},
    {"RFC 4868 2.7.2.2, AUTH384-1",
     {CipherId::null, AuthId::hmac_sha384, 0},
     "",
     "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
     "4869205468657265",
     "",
     "",
     "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973"},
    {"RFC 4868 2.7.2.3, AUTH512-1",
     {CipherId::null, AuthId::hmac_sha512, 0},
     "",
     "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
     "b0b0b0b0b"
     "0b0b0b",
     "4869205468657265",
     "",
     "",
     "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8"},
};

Packet unsealed(const Published& row) {
    Packet out{.octets = hex(row.header),
               .iv_octets = hex(row.iv).size(),
               .text_octets = hex(row.text).size(),
               .sequence_high = row.sequence_high,
               .esn = row.esn};
    for (const auto* part : {row.iv, row.text})
        for (const std::byte b : hex(part)) out.octets.push_back(b);
    out.octets.resize(out.octets.size() + icv_octets(row.suite));
    return out;
}

}  // namespace

TEST_CASE("every kernel gives the answers that were published for its algorithms") {
    const auto only = GENERATE(from_range(kernel_names()));
    const auto made = book(only);
    const auto engine = made->make_engine();
    for (const Published& row : published) {
        CAPTURE(only, row.from);
        const auto suite = made->suite(row.suite);
        if (!suite) continue;
        const KeyBlock key{*made, *suite, hex(row.cipher_key), hex(row.auth_key)};
        Packet packet = unsealed(row);
        const Octets before = packet.octets;
        CryptoJob job = packet.job(key);
        engine->seal({&job, 1});
        const Octets behind_iv{packet.octets.begin() + 8 + static_cast<std::ptrdiff_t>(packet.iv_octets),
                               packet.octets.end()};
        CHECK(behind_iv == hex(row.sealed));
        engine->open({&job, 1});
        CHECK(job.authentic);
        CHECK(std::equal(before.begin(), before.end() - static_cast<std::ptrdiff_t>(icv_octets(row.suite)),
                         packet.octets.begin()));
    }
}
