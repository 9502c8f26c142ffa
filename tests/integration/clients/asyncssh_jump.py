#!/usr/bin/python3
"""A small ssh made of asyncssh: a connection through the tunnel of another one."""

import asyncio
import os
import subprocess
import sys
import warnings

warnings.simplefilter("ignore")  # of its ciphers from long ago, while it is imported
import asyncssh  # noqa: E402
from way import parse  # noqa: E402

CHUNK_BYTES = 65536


class Person(asyncssh.SSHClient):
    """Answers the bastion's question for the code."""

    code = ()

    def auth_banner_received(self, msg, lang):
        print(msg, end="", file=sys.stderr)

    def kbdint_auth_requested(self):
        return ""

    async def kbdint_challenge_received(self, name, instructions, lang, prompts):
        said = await asyncio.to_thread(subprocess.run, self.code, check=True, capture_output=True, text=True)
        return [said.stdout.strip() for _ in prompts]


async def send_input(process):
    loop = asyncio.get_running_loop()
    while data := await loop.run_in_executor(None, os.read, 0, CHUNK_BYTES):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.write_eof()


async def copy(reader, descriptor):
    while data := await reader.read(CHUNK_BYTES):
        while data:
            data = data[os.write(descriptor, data):]


async def run(way):
    Person.code = tuple(way.code)
    common = {"client_keys": [way.key], "known_hosts": way.known_hosts, "client_factory": Person, "agent_path": None,
              "rekey_bytes": way.rekey_bytes}
    async with asyncssh.connect(way.bastion, way.port, username=way.user, **common) as outer:
        async with asyncssh.connect(way.host, 22, tunnel=outer, username=way.account, **common) as inner:
            if way.verbose:
                print("ciphers:", *(leg.get_extra_info("recv_cipher") for leg in (outer, inner)), file=sys.stderr)
            terminal = {"term_type": "vt100", "term_size": way.pty} if way.pty else {}
            async with inner.create_process(way.command, encoding=None, **terminal) as process:
                sender = asyncio.ensure_future(send_input(process))
                await asyncio.gather(copy(process.stdout, 1), copy(process.stderr, 2))
                await process.wait()
                sender.cancel()
                return process.exit_status if process.exit_status is not None else 255


def main():
    way = parse(__doc__)
    try:
        status = asyncio.new_event_loop().run_until_complete(run(way))
    except (asyncssh.Error, OSError) as problem:
        print(f"asyncssh: {type(problem).__name__}: {problem}", file=sys.stderr)
        status = 255
    os._exit(status)  # a thread may still wait for input


if __name__ == "__main__":
    main()
