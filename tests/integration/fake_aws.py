"""What AWS would be, in two parts.

fake_aws.py metadata [no-role]             the metadata service (version 2 alone) at 169.254.169.254
fake_aws.py database PORT CERTIFICATE KEY   a PostgreSQL that wants a token, checks its signature, and answers every query with no rows
"""

import datetime
import hashlib
import hmac
import http.server
import json
import socket
import ssl
import struct
import sys
import threading
import urllib.parse

KEYS = {"ASIAINSTANCE": ("instance/secret+key", "instance//token+=="), "AKIAENVIRONMENT": ("environment-secret", None),
        "AKIAFILE": ("file-secret", "file-token")}
HOST, REGION = "orders-db", "eu-central-1"


class Metadata(http.server.BaseHTTPRequestHandler):
    tokens = set()
    has_role = True

    def answer(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):  # noqa: N802 (the name is http.server's)
        if self.path != "/latest/api/token" or not self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
            return self.answer(400)
        token = f"imds-{len(self.tokens)}=="
        self.tokens.add(token)
        return self.answer(200, token)

    def do_GET(self):  # noqa: N802
        folder = "/latest/meta-data/iam/security-credentials/"
        if self.headers.get("X-aws-ec2-metadata-token") not in self.tokens:
            return self.answer(401)
        if self.path == folder:
            return self.answer(200, "bastion-role") if self.has_role else self.answer(404)
        secret, token = KEYS["ASIAINSTANCE"]
        return self.answer(200, json.dumps({"Code": "Success", "AccessKeyId": "ASIAINSTANCE", "SecretAccessKey": secret, "Token": token}))

    def log_message(self, *_words):
        pass


def is_valid(token, user, port):
    """The signature as the documentation of SigV4 describes it, made again with the secret of the key that the token names."""
    address, _, query = token.partition("/?")
    given = urllib.parse.parse_qsl(query, strict_parsing=True)
    signature = dict(given).pop("X-Amz-Signature", "")
    fields = {name: value for name, value in given if name != "X-Amz-Signature"}
    key_id, day, region, *rest = fields["X-Amz-Credential"].split("/")
    secret, session = KEYS[key_id]
    made = datetime.datetime.strptime(fields["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    age = (datetime.datetime.now(datetime.timezone.utc) - made).total_seconds()
    canonical_query = "&".join(f"{urllib.parse.quote(name, safe='-_.~')}={urllib.parse.quote(value, safe='-_.~')}"
                               for name, value in sorted(fields.items()))
    canonical = f"GET\n/\n{canonical_query}\nhost:{address}\n\nhost\n{hashlib.sha256(b'').hexdigest()}"
    scope = f"{day}/{region}/rds-db/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{fields['X-Amz-Date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + secret).encode()
    for step in (day, region, "rds-db", "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    expected = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return (hmac.compare_digest(expected, signature) and address == f"{HOST}:{port}" and region == REGION and rest == ["rds-db", "aws4_request"]
            and fields.get("X-Amz-Security-Token") == session and fields["DBUser"] == user and fields["Action"] == "connect"
            and -60 < age < int(fields["X-Amz-Expires"]) == 900)


def read_exactly(stream, count):
    got = b""
    while len(got) < count:
        part = stream.recv(count - len(got))
        if not part:
            raise ConnectionError
        got += part
    return got


def message(letter, body):
    return letter + struct.pack("!I", len(body) + 4) + body


def serve(raw, context, port):
    read_exactly(raw, 8)
    raw.sendall(b"S")
    with context.wrap_socket(raw, server_side=True) as stream:
        length, _code = struct.unpack("!II", read_exactly(stream, 8))
        words = read_exactly(stream, length - 8).split(b"\0")
        user = dict(zip(words[::2], words[1::2]))[b"user"].decode()
        stream.sendall(message(b"R", struct.pack("!I", 3)))
        length = struct.unpack("!cI", read_exactly(stream, 5))[1]
        if not is_valid(read_exactly(stream, length - 4)[:-1].decode(), user, port):
            stream.sendall(message(b"E", b"SFATAL\0VFATAL\0C28000\0MPAM authentication failed\0\0"))
            return
        stream.sendall(message(b"R", bytes(4)) + message(b"S", b"server_version\x0015.0\0") + message(b"K", bytes(8)) + message(b"Z", b"I"))
        while True:
            letter, length = struct.unpack("!cI", read_exactly(stream, 5))
            read_exactly(stream, length - 4)
            if letter == b"X":
                return
            stream.sendall(message(b"C", b"SELECT 0\0") + message(b"Z", b"I"))


def guarded(*words):
    try:
        serve(*words)
    except (OSError, ConnectionError, KeyError, ValueError):
        pass


def main():
    if sys.argv[1] == "metadata":
        Metadata.has_role = "no-role" not in sys.argv
        http.server.ThreadingHTTPServer(("169.254.169.254", 80), Metadata).serve_forever()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    listener = socket.create_server(("", int(sys.argv[2])))
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=guarded, args=(stream, context, int(sys.argv[2])), daemon=True).start()


if __name__ == "__main__":
    main()
