#!/usr/bin/python3
"""Writes test/unit/ike/crypto/known_answers.inc: what Diffie-Hellman and key derivation must come to.

An implementation of its own: the primes are computed from pi as RFC 2409 and RFC 3526 define them, the agreement is
Python's pow(), HMAC is the standard library's, AES is python3-cryptography's. OpenSSL's groups, DH and HMAC are what is
measured against it.
"""
import hashlib
import hmac
import pathlib
import struct
import warnings

warnings.simplefilter("ignore")
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: E402

GROUPS = {  # method: (bits, bits of pi, what is added to them): RFC 2409 6.2, RFC 3526 2 to 5
    "modp1024": (1024, 894, 129093),
    "modp1536": (1536, 1406, 741804),
    "modp2048": (2048, 1918, 124476),
    "modp3072": (3072, 2942, 1690314),
    "modp4096": (4096, 3966, 240904),
}


def pi_scaled(bits):
    """[2^bits * pi], by Machin's formula with guard bits."""
    one = 1 << (bits + 64)

    def arctan_of_inverse(n):
        total, term, k = 0, one // n, 0
        while term:
            total += -term // (2 * k + 1) if k % 2 else term // (2 * k + 1)
            term //= n * n
            k += 1
        return total

    return (4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))) >> 64


def prime(bits, of_pi, added):
    return 2**bits - 2 ** (bits - 64) - 1 + 2**64 * (pi_scaled(of_pi) + added)


def octets(label, count):
    """Octets that look like nothing, from a label."""
    out = b""
    while len(out) < count:
        out += hashlib.sha256(f"torii {label} {len(out)}".encode()).digest()
    return out[:count]


def hmac_of(digest):
    return lambda key, data: hmac.new(key, data, digest).digest()


def aes_block(key, block):
    context = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return context.update(block) + context.finalize()


def xcbc(key, data):
    """RFC 3566 4."""
    k1, k2, k3 = (aes_block(key, bytes([n] * 16)) for n in (1, 2, 3))
    whole = len(data) != 0 and len(data) % 16 == 0
    padded = data if whole else data + b"\x80" + bytes(-(len(data) + 1) % 16)
    state = bytes(16)
    for at in range(0, len(padded), 16):
        block = padded[at : at + 16]
        if at + 16 == len(padded):
            block = bytes(a ^ b for a, b in zip(block, k2 if whole else k3))
        state = aes_block(k1, bytes(a ^ b for a, b in zip(state, block)))
    return state


def xcbc_prf(key, data):
    """RFC 4434 2."""
    if len(key) < 16:
        key = key + bytes(16 - len(key))
    elif len(key) > 16:
        key = xcbc(bytes(16), key)
    return xcbc(key, data)


PRFS = {  # word: (function, octets of its output)
    "prfsha1": (hmac_of("sha1"), 20),
    "prfsha256": (hmac_of("sha256"), 32),
    "prfsha384": (hmac_of("sha384"), 48),
    "prfsha512": (hmac_of("sha512"), 64),
    "prfaesxcbc": (xcbc_prf, 16),
}


def prf_plus(prf, key, seed, count):
    out, block, n = b"", b"", 1
    while len(out) < count:
        block = prf(key, block + seed + bytes([n]))
        out, n = out + block, n + 1
    return out[:count]


NI, NR, SPIS = octets("Ni", 32), octets("Nr", 40), struct.pack(">QQ", 0x0102030405060708, 0xA1A2A3A4A5A6A7A8)
SECRET, SECOND = octets("g^ir", 32), octets("g^ir of the rekeying", 32)
SUITES = [  # words of the suite, octets of SK_e with salt, octets of SK_a
    ("aes128gcm16-{prf}-x25519", 20, 0),
    ("chacha20poly1305-{prf}-x25519", 36, 0),
    ("aes256-sha512-{prf}-x25519", 32, 64),
    ("aes128-sha256-{prf}-x25519", 16, 32),
]


def derivations():
    """2.14, 2.18, then 2.17 with a key exchange and without, for each PRF and suite."""
    for words, encr, integ in SUITES:
        for word, (prf, size) in PRFS.items():
            halves = word == "prfaesxcbc"
            key = NI[:8] + NR[:8] if halves else NI + NR
            total = 3 * size + 2 * integ + 2 * encr
            first = prf_plus(prf, prf(key, SECRET), NI + NR + SPIS, total)
            d = first[:size]
            again = prf_plus(prf, prf(d, SECOND + NI + NR), NI + NR + SPIS, total)
            child = prf_plus(prf, d, NI + NR, 2 * (encr + integ))
            with_ke = prf_plus(prf, d, SECOND + NI + NR, 2 * (encr + integ))
            yield words.format(prf=word), first, again, child, with_ke


def text(value):
    hexed, lines = value.hex(), []
    for at in range(0, len(hexed), 100):
        lines.append(f'     "{hexed[at : at + 100]}"')
    return "\n".join(lines).lstrip()


def main():
    out = ["// Written by known_answers.py; an implementation of its own made them.", "// clang-format off"]
    out.append("constexpr Agreement agreements[]{")
    for method, numbers in GROUPS.items():
        p = prime(*numbers)
        one, other = (int.from_bytes(octets(f"{method} {side}", 32), "big") for side in ("one", "other"))
        size = numbers[0] // 8
        values = [pow(2, one, p), pow(2, other, p), pow(2, one * other, p)]
        out.append(f"    {{KeMethod::{method},")
        parts = [one.to_bytes(32, "big"), other.to_bytes(32, "big")] + [v.to_bytes(size, "big") for v in values]
        parts.append((p - 1).to_bytes(size, "big"))
        out.append(",\n".join("     " + text(part) for part in parts) + "},")
    out.append("};")
    for name, value in (("nonce_initiator", NI), ("nonce_responder", NR), ("secret", SECRET), ("second_secret", SECOND)):
        out.append(f'constexpr const char* {name} =\n     {text(value)};')
    out.append("constexpr Derivation derivations[]{")
    for words, *materials in derivations():
        out.append(f'    {{"{words}",')
        out.append(",\n".join("     " + text(material) for material in materials) + "},")
    out.append("};")
    out.append("// clang-format on")
    pathlib.Path(__file__).with_name("known_answers.inc").write_text("\n".join(out) + "\n")


main()
