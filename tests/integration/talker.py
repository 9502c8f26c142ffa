#!/usr/bin/env python3
"""A small server for tests of forwards: the first line says what it shall do.

    talker.py ADDRESS PORT | talker.py PATH

echo     send back all that comes, then close
sum      read to the end of file, then send "COUNT SHA256\\n" (proves that the other half stays open)
give N   send N bytes, then end of file; then read to the end
hold     say "held\\n" and keep the connection
GET ...  answer as a web server
"""

import hashlib
import os
import socket
import socketserver
import sys

BLOCK = bytes(range(256)) * 256


def given(count):
    """The bytes that `give` sends, piece by piece."""
    while count > 0:
        yield BLOCK[:count]
        count -= len(BLOCK)


def pieces(file):
    while data := file.read1(65536):
        yield data


class Talk(socketserver.StreamRequestHandler):
    def handle(self):
        verb, _, argument = self.rfile.readline().decode().strip().partition(" ")
        if verb == "echo":
            for data in pieces(self.rfile):
                self.wfile.write(data)
        elif verb == "sum":
            count, digest = 0, hashlib.sha256()
            for data in pieces(self.rfile):
                count += len(data)
                digest.update(data)
            self.wfile.write(f"{count} {digest.hexdigest()}\n".encode())
        elif verb == "give":
            for data in given(int(argument)):
                self.wfile.write(data)
            self.connection.shutdown(socket.SHUT_WR)
            for _data in pieces(self.rfile):
                pass
        elif verb == "hold":
            self.wfile.write(b"held\n")
            for _data in pieces(self.rfile):
                pass
        elif verb == "GET":
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")


class Quiet:
    """A client that goes away in the middle is no news."""

    def handle_error(self, _request, _address):
        if not isinstance(sys.exc_info()[1], OSError):
            raise


class Tcp(Quiet, socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 256


class Unix(Quiet, socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def main():
    if len(sys.argv) == 3:
        server = Tcp((sys.argv[1], int(sys.argv[2])), Talk)
    else:
        server = Unix(sys.argv[1], Talk)
        os.chmod(sys.argv[1], 0o777)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
