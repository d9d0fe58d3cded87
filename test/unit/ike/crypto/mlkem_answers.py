#!/usr/bin/python3
"""Writes test/unit/ike/crypto/mlkem_answers.inc: what ML-KEM must come to.

An implementation of its own, as FIPS 203 writes the algorithms down, slowly. OpenSSL's is what is measured against it.
"""
import pathlib
from hashlib import sha3_256, sha3_512, shake_128, shake_256
Q = 3329
ZETAS = [pow(17, int(f'{i:07b}'[::-1], 2), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * int(f'{i:07b}'[::-1], 2) + 1, Q) for i in range(128)]


def ntt(f):                                                     # algorithm 9
    f, i, length = list(f), 1, 128
    while length >= 2:
        for start in range(0, 256, 2 * length):
            zeta, i = ZETAS[i], i + 1
            for j in range(start, start + length):
                t = zeta * f[j + length]
                f[j + length], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
        length //= 2
    return f


def ntt_inverse(f):                                             # algorithm 10
    f, i, length = list(f), 127, 2
    while length <= 128:
        for start in range(0, 256, 2 * length):
            zeta, i = ZETAS[i], i - 1
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, zeta * (f[j + length] - t) % Q
        length *= 2
    return [x * 3303 % Q for x in f]


def multiply(f, g):                                             # algorithms 11 and 12
    out = []
    for i in range(128):
        a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        out += [(a0 * b0 + a1 * b1 * GAMMAS[i]) % Q, (a0 * b1 + a1 * b0) % Q]
    return out


def add(*all_of):
    return [sum(x) % Q for x in zip(*all_of)]


def dot(row, column):
    return add(*(multiply(a, b) for a, b in zip(row, column)))


def sample_ntt(seed):                                           # algorithm 7
    stream, out, at = shake_128(seed).digest(168 * 8), [], 0
    while len(out) < 256:
        a, b, c = stream[at:at + 3]
        at += 3
        out += [d for d in (a + 256 * (b % 16), b // 16 + 16 * c) if d < Q]
    return out[:256]


def sample_cbd(eta, key, nonce):                                # algorithm 8
    bits = int.from_bytes(shake_256(key + bytes([nonce])).digest(64 * eta), 'little')
    bit = lambda n: bits >> n & 1
    return [(sum(bit(2 * i * eta + j) for j in range(eta)) - sum(bit((2 * i + 1) * eta + j) for j in range(eta))) % Q for i in range(256)]


def encode(d, f):                                               # algorithm 5
    return sum(x << d * i for i, x in enumerate(f)).to_bytes(32 * d, 'little')


def decode(d, octets):                                          # algorithm 6
    number = int.from_bytes(octets, 'little')
    return [(number >> d * i & (1 << d) - 1) for i in range(256)]


def compress(d, f):
    return [((x << d) * 2 + Q) // (2 * Q) % (1 << d) for x in f]


def public_key(k, eta1, d):
    """K-PKE.KeyGen's encapsulation key (algorithm 13)."""
    seeds = sha3_512(d + bytes([k])).digest()
    rho, sigma = seeds[:32], seeds[32:]
    s = [ntt(sample_cbd(eta1, sigma, n)) for n in range(k)]
    e = [ntt(sample_cbd(eta1, sigma, k + n)) for n in range(k)]
    t = [add(dot([sample_ntt(rho + bytes([j, i])) for j in range(k)], s), e[i]) for i in range(k)]
    return b''.join(encode(12, f) for f in t) + rho


def encapsulate(k, eta1, du, dv, ek, m):
    """ML-KEM.Encaps_internal (algorithm 17) over K-PKE.Encrypt (14): ciphertext and secret."""
    seeds = sha3_512(m + sha3_256(ek).digest()).digest()
    secret, r = seeds[:32], seeds[32:]
    t, rho = [decode(12, ek[384 * i:384 * (i + 1)]) for i in range(k)], ek[384 * k:]
    y = [ntt(sample_cbd(eta1, r, n)) for n in range(k)]
    e1 = [sample_cbd(2, r, k + n) for n in range(k)]
    e2 = sample_cbd(2, r, 2 * k)
    u = [add(ntt_inverse(dot([sample_ntt(rho + bytes([i, j])) for j in range(k)], y)), e1[i]) for i in range(k)]
    mu = [(Q + 1) // 2 * bit for bit in decode(1, m)]
    v = add(ntt_inverse(dot(t, y)), e2, mu)
    return b''.join(encode(du, compress(du, f)) for f in u) + encode(dv, compress(dv, v)), secret


def text(octets):
    hexed = octets.hex()
    return "\n     ".join(f'"{hexed[at:at + 100]}"' for at in range(0, len(hexed), 100))


def main():
    """d is 0 to 31, z 32 to 63, m 64 to 95; z matters where a ciphertext is wrong alone."""
    out = ['// Written by mlkem_answers.py; an implementation of its own made them.', '// clang-format off',
           'constexpr MlkemAnswer mlkem_answers[]{']
    for name, k, eta1, du, dv in (('mlkem512', 2, 3, 10, 4), ('mlkem768', 3, 2, 10, 4), ('mlkem1024', 4, 2, 11, 5)):
        ek = public_key(k, eta1, bytes(range(32)))
        ciphertext, secret = encapsulate(k, eta1, du, dv, ek, bytes(range(64, 96)))
        out.append(f'    {{KeMethod::{name}, {text(sha3_256(ek).digest())},\n     {text(secret)},\n     {text(ciphertext)}}},')
    out += ['};', '// clang-format on']
    pathlib.Path(__file__).with_name('mlkem_answers.inc').write_text('\n'.join(out) + '\n')


main()
