#!/usr/bin/env python3
"""A registration service in 84 lines: what lmp-device-register asks of one, and nothing more.

Usage: backend.py FOLDER FACTORY TOKEN [PORT]     needs python3 and openssl; listens on loopback

FOLDER gets a CA that signs devices and, here, also the Device Gateway that sota.toml names. Nothing is
remembered: a UUID is signed again for whoever asks. Do not use it for a real factory.
"""
import hmac, json, pathlib, subprocess, sys, tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer

folder, factory, token = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
key, root = folder / "ca.key", folder / "ca.pem"
PROFILE = """basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, clientAuth
"""


def openssl(*words, text=None):
    return subprocess.run(["openssl", *words], input=text, capture_output=True, text=True, check=True).stdout


def sign(asked):
    csr = asked["csr"]
    openssl("req", "-verify", "-noout", text=csr)  # the device has the key
    subject = openssl("req", "-noout", "-subject", "-nameopt", "multiline,-esc_msb,utf8", text=csr)
    names = dict(line.split("= ", 1) for line in subject.splitlines()[1:])
    names = {name.strip(): value for name, value in names.items()}
    if names["commonName"] != asked["uuid"] or names["organizationalUnitName"] != factory:
        raise ValueError("the CSR is for another device or factory")
    with tempfile.NamedTemporaryFile("w") as profile:
        profile.write(PROFILE)
        profile.flush()
        return openssl("x509", "-req", "-CA", root, "-CAkey", key, "-CAserial", folder / "serial", "-CAcreateserial",
                       "-days", "3650", "-extfile", profile.name, text=csr)


def configuration(asked):
    here = asked["sota-config-dir"]
    sections = {  # values are TOML source, as in the overrides
        "tls": {"server": '"https://localhost:8443"', "ca_source": '"file"', "pkey_source": '"file"', "cert_source": '"file"'},
        "provision": {"primary_ecu_hardware_id": json.dumps(asked["hardware-id"])},
        "storage": {"type": '"sqlite"', "path": json.dumps(here)},
        "import": {"tls_cacert_path": f'"{here}/root.crt"', "tls_pkey_path": f'"{here}/pkey.pem"', "tls_clientcert_path": f'"{here}/client.pem"'},
    }
    for section, values in asked["overrides"].items():
        sections.setdefault(section, {}).update(values)
    lines = ([f"[{name}]", *(f"{key} = {value}" for key, value in values.items() if value), ""] for name, values in sections.items())
    return "\n".join(line for section in lines for line in section)


class Service(BaseHTTPRequestHandler):
    def do_HEAD(self):  # asked before a key is made on a token
        self.answer(405, None)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not hmac.compare_digest(self.headers.get("OSF-TOKEN", ""), token):
            return self.answer(401, {"message": "a valid token is needed"})
        try:
            asked = json.loads(body)
            client, issuer = sign(asked), root.read_text()
            files = {"client.pem": client, "client.chained": client + issuer, "root.crt": issuer, "sota.toml": configuration(asked)}
            self.answer(201, files)
        except (KeyError, ValueError, subprocess.CalledProcessError) as error:
            self.answer(400, {"message": str(error)})

    def answer(self, status, value):
        text = json.dumps(value).encode() if value else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if not root.exists():
    folder.mkdir(mode=0o700, exist_ok=True)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "7300",
            "-subj", f"/CN=Root of {factory}/OU={factory}", "-keyout", key, "-out", root)
server = HTTPServer(("127.0.0.1", int(sys.argv[4]) if len(sys.argv) > 4 else 0), Service)
print(f"DEVICE_API=http://127.0.0.1:{server.server_port}/sign", flush=True)
server.serve_forever()
