"""What a cluster issues: tokens for service accounts, whose keys its API server publishes, and certificates."""

import base64
import ipaddress
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

KEYS_PATH = "/openid/v1/jwks"
API_SERVER = "https://kubernetes.default.svc.cluster.local"


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class TokenIssuer:
    """Signs JSON Web Tokens."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def key_set(self) -> str:
        numbers = self.key.public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        modulus, exponent = numbers.n.to_bytes(size, "big"), numbers.e.to_bytes(3, "big")
        key = {"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256"}
        return json.dumps({"keys": [key | {"n": base64url(modulus), "e": base64url(exponent)}]})

    def token(self, issuer: str, subject: str, audience: str, lifetime: int = 3600, **claims) -> str:
        now = int(time())
        header = {"alg": "RS256", "kid": "one", "typ": "JWT"}
        payload = {"iss": issuer, "sub": subject, "aud": [audience], "iat": now, "exp": now + lifetime} | claims
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, payload))
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{base64url(signature)}"


class CertificateAuthority:
    """Issues certificates, as PEM."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA of the tests")])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = self.signed(self.name, self.key, [(constraints, True)])

    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, dns_names: list[str], addresses: list[str]) -> tuple[str, str]:
        """A certificate for names and addresses, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name) for name in dns_names]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        certificate = self.signed(x509.Name([]), key, [(x509.SubjectAlternativeName(names), True)])
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()

    def signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extensions: list) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=30))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())


class ApiServer:
    """The part of an API server that services ask: the keys of tokens, for whoever has a token for the API server."""

    def __init__(self, address: str, issuer: TokenIssuer, authority: CertificateAuthority, folder: Path):
        self.known: set[str] = set()
        keys = issuer.key_set().encode()
        known = self.known

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                status = 200 if (self.path, token in known) == (KEYS_PATH, True) else 401
                self.send_response(status)
                self.send_header("Content-Length", str(len(keys) if status == 200 else 0))
                self.end_headers()
                if status == 200:
                    self.wfile.write(keys)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for name, pem in zip(("crt", "key"), authority.issue([], [address]), strict=True):
            (folder / f"api-server.{name}").write_text(pem)
        context.load_cert_chain(folder / "api-server.crt", folder / "api-server.key")
        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://{address}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
