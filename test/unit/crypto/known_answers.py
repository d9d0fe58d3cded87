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
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: E402
from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: E402

COUNT, KEYS, SLOT, CIPHER_ROOM, AUTH_ROOM = 48, 5, 1664, 56, 64
CIPHERS = {  # name: (algorithm, key octets (0: varies), IV octets, unit of text)
    "null": (None, [0], 0, 4),
    "des_cbc": (lambda key: algorithms.TripleDES(key * 3), [8], 8, 8),
    "des3_cbc": (algorithms.TripleDES, [24], 8, 8),
    "blowfish_cbc": (algorithms.Blowfish, [0], 8, 8),
    "aes_cbc": (algorithms.AES, [16, 24, 32], 16, 16),
    "aes_gcm_16": ("aead", [16, 24, 32], 8, 4),
}
AUTHS = {  # name: (digest, key octets, ICV octets)
    "null": (None, 0, 0),
    "hmac_md5": ("md5", 16, 12),
    "hmac_sha1": ("sha1", 20, 12),
    "hmac_sha256": ("sha256", 32, 16),
    "hmac_sha384": ("sha384", 48, 24),
    "hmac_sha512": ("sha512", 64, 32),
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


def seal(slot, i, keys, cipher, octets, auth):
    algorithm, _, iv_octets, unit = CIPHERS[cipher]
    digest, auth_octets, icv_octets = AUTHS[auth]
    room = keys[i % KEYS * (CIPHER_ROOM + AUTH_ROOM):]
    if cipher == "blowfish_cbc":
        octets = min(5 + 13 * (i % KEYS), CIPHER_ROOM)
    key, auth_key = room[:octets], room[CIPHER_ROOM:CIPHER_ROOM + auth_octets]
    salt = room[octets:octets + 4]
    high = struct.pack(">I", (0x01020304 * i) & 0xFFFFFFFF) if i % 3 == 1 else b""
    text_at, end = 8 + iv_octets, 8 + iv_octets + text_octets(i, unit)
    head, iv, text = slot[:8], slot[8:text_at], slot[text_at:end]
    if algorithm == "aead":
        sealed = AESGCM(key).encrypt(salt + iv, text, head[:4] + high + head[4:])
        return head + iv + sealed + slot[end + 16:]
    if algorithm is not None:
        context = Cipher(algorithm(key), modes.CBC(iv)).encryptor()
        text = context.update(text) + context.finalize()
    icv = hmac.new(auth_key, head + iv + text + high, digest).digest()[:icv_octets] if digest else b""
    return head + iv + text + icv + slot[end + icv_octets:]


def main():
    keys, arena = pattern(1, KEYS * (CIPHER_ROOM + AUTH_ROOM)), pattern(2, COUNT * SLOT)
    slots = [arena[i * SLOT:(i + 1) * SLOT] for i in range(COUNT)]
    print("// Made by test/unit/crypto/known_answers.py.")
    for cipher, (algorithm, key_octets, _, _) in CIPHERS.items():
        for auth in AUTHS:
            if (algorithm == "aead" and auth != "null") or (algorithm is None and auth == "null"):
                continue
            for octets in key_octets:
                sealed = b"".join(seal(slots[i], i, keys, cipher, octets, auth) for i in range(COUNT))
                print("{{CipherId::%s, AuthId::%s, %d}, 0x%s}," % (
                    cipher, auth, octets * 8, hashlib.sha256(sealed).hexdigest()[:16]))


main()
