#!/usr/bin/env python3
"""An ssh-agent with one hardware key made of software, which says of itself whatever it is told to.

    with TokenAgent(folder, "sk-ssh-ed25519@openssh.com") as token:
        write(keys_file, token.line)
        token.flags = 0                 # nobody touched it
        ssh -o IdentityAgent={token.path} ...

The formats: OpenSSH's PROTOCOL.u2f and draft-miller-ssh-agent. Keys and signatures are made by the openssl command.
"""

import base64
import hashlib
import os
import socket
import struct
import subprocess
import threading

PRESENT, VERIFIED = 1, 4
KINDS = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
FAILURE, IDENTITIES_ASKED, IDENTITIES, SIGN_ASKED, SIGNED = 5, 11, 12, 13, 14


def string(data):
    return struct.pack(">I", len(data)) + data


def take_string(data):
    length = struct.unpack(">I", data[:4])[0]
    return data[4:4 + length], data[4 + length:]


def take_der(data):
    """The body of one short DER value, and what follows it."""
    return data[2:2 + data[1]], data[2 + data[1]:]


class TokenAgent:
    def __init__(self, folder, kind):
        self.kind, self.application = kind, b"ssh:"
        self.flags, self.counter = PRESENT, 1
        self.claimed_flags = None       # in the signature's clear part, when they are not the signed ones
        self.signed_application = None  # when it signs for another one
        name = os.path.join(folder, kind.split("@", maxsplit=1)[0])
        self.private, self.path = name + ".pem", name + ".agent"
        curve = ["-algorithm", "ed25519"] if self.is_ed25519 else ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self._openssl("genpkey", *curve, "-out", self.private)
        public = self._openssl("pkey", "-in", self.private, "-pubout", "-outform", "DER")
        # Both kinds end with the bare public key in SubjectPublicKeyInfo.
        point = string(public[-32:]) if self.is_ed25519 else string(b"nistp256") + string(public[-65:])
        self.blob = string(kind.encode()) + point + string(self.application)
        self.line = f"{kind} {base64.b64encode(self.blob).decode()} token"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def is_ed25519(self):
        return "ed25519" in self.kind

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    @staticmethod
    def _openssl(*words):
        return subprocess.run(["openssl", *words], check=True, capture_output=True).stdout

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, client.makefile("rb") as stream:
            while len(head := stream.read(4)) == 4:
                client.sendall(string(self._answer(stream.read(struct.unpack(">I", head)[0]))))

    def _answer(self, message):
        if message[0] == IDENTITIES_ASKED:
            return bytes([IDENTITIES]) + struct.pack(">I", 1) + string(self.blob) + string(b"token")
        if message[0] != SIGN_ASKED:
            return bytes([FAILURE])
        blob, rest = take_string(message[1:])
        return bytes([SIGNED]) + string(self.sign(take_string(rest)[0])) if blob == self.blob else bytes([FAILURE])

    def sign(self, data):
        application = self.signed_application or self.application
        message = (hashlib.sha256(application).digest() + bytes([self.flags]) + struct.pack(">I", self.counter) +
                   hashlib.sha256(data).digest())
        path = f"{self.path}.{threading.get_ident()}"
        with open(path, "wb") as file:
            file.write(message)
        if self.is_ed25519:
            signature = self._openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.private, "-in", path)
        else:
            pair, _ = take_der(self._openssl("dgst", "-sha256", "-sign", self.private, path))
            first, rest = take_der(pair)
            signature = string(first) + string(take_der(rest)[0])
        os.unlink(path)
        claimed = self.flags if self.claimed_flags is None else self.claimed_flags
        return string(self.kind.encode()) + string(signature) + bytes([claimed]) + struct.pack(">I", self.counter)
