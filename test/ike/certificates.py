"""Keys and certificates for one run of the suite, made afresh: an authority, and people whom it vouches for, perhaps through others."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def ecdsa_key():
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def ed25519_key():
    return ed25519.Ed25519PrivateKey.generate()


class Person:
    """Whoever has a key and a certificate, which may have expired a day ago. `issuer` None: he vouches for himself."""

    def __init__(self, name, key, issuer=None, authority=False, expired=False):
        self.name, self.key, self.issuer = name, key, issuer
        by = issuer or self
        now = datetime.datetime.utcnow()
        if expired:
            now -= 2 * DAY
        builder = (x509.CertificateBuilder().subject_name(by_name(name)).issuer_name(by_name(by.name))
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - DAY).not_valid_after(now + DAY)
                   .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True))
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        self.certificate = builder.sign(by.key, None if isinstance(by.key, ed25519.Ed25519PrivateKey) else hashes.SHA256())

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def chain(self):
        """His certificate and those between it and the authority, which is not in it."""
        return self.pem() + (self.issuer.chain() if self.issuer and self.issuer.issuer else '')

    def public_pem(self):
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()).decode()


def by_name(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
