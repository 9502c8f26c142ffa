"""A database server gone wrong, for the private network: fake_database.py PORT WHAT [CERTIFICATE KEY]

It speaks just enough of PostgreSQL to be met, then does what WHAT says.
"""

import socket
import ssl
import struct
import sys
import threading
import warnings

SSL_REQUEST = 80877103


def read_exactly(stream, count):
    got = b""
    while len(got) < count:
        part = stream.recv(count - len(got))
        if not part:
            raise ConnectionError
        got += part
    return got


def read_startup(stream):
    length, code = struct.unpack("!II", read_exactly(stream, 8))
    return code, read_exactly(stream, length - 8)


def message(letter, body):
    return letter + struct.pack("!I", len(body) + 4) + body


def endless(stream):
    while True:
        stream.sendall(message(b"N", b"SNOTICE\0M" + b"x" * 60000 + b"\0\0"))


WRONG = {
    "wrong-length": lambda stream: stream.sendall(b"R\0\0\0\1" + b"x" * 100),
    "huge-message": lambda stream: stream.sendall(b"D\x7f\xff\xff\xff" + b"x" * 100000),
    "wrong-phase": lambda stream: stream.sendall(message(b"C", b"SELECT 1\0")),
    "unknown-letter": lambda stream: stream.sendall(message(b"\x01", b"what is this")),
    "early-ready": lambda stream: stream.sendall(message(b"Z", b"I") * 3 + message(b"T", b"\0\1")),
    "endless-notices": endless,
    "silence-then-close": lambda stream: None,
}


def serve(stream, what, context):
    with stream:
        code, _ = read_startup(stream)
        if code != SSL_REQUEST:
            return
        if what == "plain":
            stream.sendall(b"N")
            return
        if what == "no-answer-to-tls":
            stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return
        stream.sendall(b"S")
        with context.wrap_socket(stream, server_side=True) as tls:
            read_startup(tls)
            WRONG[what](tls)
            tls.settimeout(20)
            while tls.recv(4096):
                pass


def guarded(stream, what, context):
    try:
        serve(stream, what, context)
    except (OSError, ConnectionError):
        pass


def main():
    port, what = int(sys.argv[1]), sys.argv[2]
    context = None
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        if what == "old-tls":
            warnings.simplefilter("ignore")  # Python calls it deprecated: that is the point
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
    listener = socket.create_server(("", port))
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=guarded, args=(stream, what, context), daemon=True).start()


if __name__ == "__main__":
    main()
