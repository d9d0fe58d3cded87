#!/usr/bin/python3
"""Writes lib/crypto/known_answers.inc: for each suite, the first 64 bits of the SHA-256 of its sealed proof packets.

An implementation of its own (python3-cryptography and hmac), so that the record does not come from the kernels that
are measured against it. lib/crypto/proof.h says what the packets are.
"""
import hashlib
import hmac
import struct
import warnings

warnings.simplefilter("ignore")
from cryptography.hazmat.primitives import cmac  # noqa: E402
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: E402
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305  # noqa: E402

COUNT, KEYS, SLOT, CIPHER_ROOM, AUTH_ROOM = 48, 5, 1664, 56, 64
AES = [16, 24, 32]
CIPHERS = {  # name: (algorithm, key octets (a pair: from, to), salt octets, IV octets, unit of text, ICV octets of an AEAD)
    "null": (None, [0], 0, 0, 4, 0),
    "des_cbc": (lambda key: algorithms.TripleDES(key * 3), [8], 0, 8, 8, 0),
    "des_deriv": (lambda key: algorithms.TripleDES(key * 3), [8], 0, 0, 8, 0),
    "des3_cbc": (algorithms.TripleDES, [24], 0, 8, 8, 0),
    "blowfish_cbc": (algorithms.Blowfish, [(5, 56)], 0, 8, 8, 0),
    "cast128_cbc": (algorithms.CAST5, [(5, 16)], 0, 8, 8, 0),
    "aes_cbc": (algorithms.AES, AES, 0, 16, 16, 0),
    "camellia_cbc": (algorithms.Camellia, AES, 0, 16, 16, 0),
    "aes_ctr": (algorithms.AES, AES, 4, 8, 4, 0),
    "aes_gcm_16": (AESGCM, AES, 4, 8, 4, 16),
    "aes_gcm_12": (AESGCM, AES, 4, 8, 4, 12),
    "aes_gcm_8": (AESGCM, AES, 4, 8, 4, 8),
    "aes_ccm_16": (lambda key: AESCCM(key, 16), AES, 3, 8, 4, 16),
    "aes_ccm_12": (lambda key: AESCCM(key, 12), AES, 3, 8, 4, 12),
    "aes_ccm_8": (lambda key: AESCCM(key, 8), AES, 3, 8, 4, 8),
    "chacha20_poly1305": (ChaCha20Poly1305, [32], 4, 8, 4, 16),
    "aes_gmac": (AESGCM, AES, 4, 8, 4, 16),
}


def hmac_of(digest):
    return lambda key, covered: hmac.new(key, covered, digest).digest()


def aes_block(key, block):
    context = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return context.update(block) + context.finalize()


def cmac_of(key, covered):
    context = cmac.CMAC(algorithms.AES(key))
    context.update(covered)
    return context.finalize()


def xcbc_of(key, covered):
    """RFC 3566 4, on the AES of python3-cryptography."""
    k1, k2, k3 = (aes_block(key, bytes([n] * 16)) for n in (1, 2, 3))
    whole = len(covered) != 0 and len(covered) % 16 == 0
    padded = covered if whole else covered + b"\x80" + bytes(-(len(covered) + 1) % 16)
    last = bytes(a ^ b for a, b in zip(padded[-16:], k2 if whole else k3))
    chain = Cipher(algorithms.AES(k1), modes.CBC(bytes(16))).encryptor()
    return (chain.update(padded[:-16] + last) + chain.finalize())[-16:]


def keyed(digest, order):
    """Key, padded as the hash pads a text of its length; text; key (RFC 1828, RFC 1852)."""
    def compute(key, covered):
        pad = b"\x80" + bytes(55 - len(key)) + (8 * len(key)).to_bytes(8, order)
        return hashlib.new(digest, key + pad + covered + key).digest()
    return compute


AUTHS = {  # name: (function, key octets, ICV octets)
    "null": (None, 0, 0),
    "hmac_md5": (hmac_of("md5"), 16, 12),
    "hmac_sha1": (hmac_of("sha1"), 20, 12),
    "hmac_sha256": (hmac_of("sha256"), 32, 16),
    "hmac_sha384": (hmac_of("sha384"), 48, 24),
    "hmac_sha512": (hmac_of("sha512"), 64, 32),
    "hmac_sha256_96": (hmac_of("sha256"), 32, 12),
    "hmac_sha384_96": (hmac_of("sha384"), 48, 12),
    "hmac_sha512_96": (hmac_of("sha512"), 64, 12),
    "hmac_ripemd160": (hmac_of("ripemd160"), 20, 12),
    "aes_xcbc_mac": (xcbc_of, 16, 12),
    "aes_cmac": (cmac_of, 16, 12),
    "keyed_md5": (keyed("md5", "little"), 16, 12),
    "keyed_sha1": (keyed("sha1", "big"), 20, 12),
    "hmac_md5_128": (hmac_of("md5"), 16, 16),  # the last four with no cipher
    "hmac_sha1_128": (hmac_of("sha1"), 20, 16),
    "keyed_md5_128": (keyed("md5", "little"), 16, 16),
    "keyed_sha1_128": (keyed("sha1", "big"), 20, 16),
}


def pattern(seed, octets):
    """splitmix64, low octet first."""
    out, mask = bytearray(), 2**64 - 1
    while len(out) < octets:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ seed >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        out += struct.pack("<Q", z ^ z >> 31)
    return bytes(out[:octets])


def text_octets(i, unit):
    blocks = 1 + i if i < 34 else 34 + (i - 33) * 4
    return (blocks * 16 - 4 * (i % 4)) // unit * unit


def cbc_or_ctr(cipher, key, salt, head, iv):
    algorithm = CIPHERS[cipher][0]
    if cipher == "aes_ctr":
        return Cipher(algorithm(key), modes.CTR(salt + iv + b"\0\0\0\1"))
    if cipher == "des_deriv":
        iv = head[4:] + bytes(255 - octet for octet in head[4:])
    return Cipher(algorithm(key), modes.CBC(iv))


def seal(slot, i, keys, cipher, octets, auth):
    algorithm, _, salt_octets, iv_octets, unit, aead_icv = CIPHERS[cipher]
    function, auth_octets, icv_octets = AUTHS[auth]
    room = keys[i % KEYS * (CIPHER_ROOM + AUTH_ROOM):]
    if isinstance(octets, tuple):
        octets = octets[0] + (octets[1] - octets[0]) * (i % KEYS) // 4
    key, auth_key = room[:octets], room[CIPHER_ROOM:CIPHER_ROOM + auth_octets]
    salt = room[octets:octets + salt_octets]
    high = struct.pack(">I", (0x01020304 * i) & 0xFFFFFFFF) if i % 3 == 1 else b""
    text_at, end = 8 + iv_octets, 8 + iv_octets + text_octets(i, unit)
    head, iv, text = slot[:8], slot[8:text_at], slot[text_at:end]
    if aead_icv:
        aad, clear = head[:4] + high + head[4:], b""
        if cipher == "aes_gmac":
            aad, clear, text = aad + iv + text, text, b""
        sealed = algorithm(key).encrypt(salt + iv, text, aad)[:len(text) + aead_icv]
        return head + iv + clear + sealed + slot[end + aead_icv:]
    if algorithm is not None:
        context = cbc_or_ctr(cipher, key, salt, head, iv).encryptor()
        text = context.update(text) + context.finalize()
    icv = function(auth_key, head + iv + text + high)[:icv_octets] if function else b""
    return head + iv + text + icv + slot[end + icv_octets:]


def main():
    keys, arena = pattern(1, KEYS * (CIPHER_ROOM + AUTH_ROOM)), pattern(2, COUNT * SLOT)
    slots = [arena[i * SLOT:(i + 1) * SLOT] for i in range(COUNT)]
    print("// Made by test/unit/crypto/known_answers.py.")
    for cipher, (algorithm, key_octets, _, _, _, aead_icv) in CIPHERS.items():
        for auth in AUTHS:
            if algorithm is not None and auth.endswith("_128"):
                continue
            if (aead_icv and auth != "null") or (algorithm is None and auth == "null"):
                continue
            for octets in key_octets:
                sealed = b"".join(seal(slots[i], i, keys, cipher, octets, auth) for i in range(COUNT))
                bits = 0 if isinstance(octets, tuple) else octets * 8
                print("{{CipherId::%s, AuthId::%s, %d}, 0x%s}," % (
                    cipher, auth, bits, hashlib.sha256(sealed).hexdigest()[:16]))


main()
