"""./tools/bench siege [SECONDS]: what a crowd can take from those who work. 10,000 idle connections, 1,000 bodies that
trickle, an issuer that hangs and tokens that ask for it, and from half of the time on a PostgreSQL that is stopped, all
at once, while 50 people read and create. Prints each figure beside what is wanted. Everything is on loopback, and ends
with this process."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "python")]


@dataclass
class Crowd:
    """Who comes, and for how long."""

    idle: int = 10_000
    slow: int = 1_000
    strangers: int = 12  # with tokens whose keys nobody knows
    people: int = 50
    seconds: float = 20
    pause: float = 0.5  # of each person, between two requests


@dataclass
class Seen:
    """Seconds until an answer, and the answers, of people and of a probe."""

    took: list[float] = field(default_factory=list)
    answers: Counter = field(default_factory=Counter)

    def worst(self, part: float) -> float:
        return sorted(self.took)[min(len(self.took) - 1, int(part * len(self.took)))] if self.took else float("inf")


def host_port(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").rsplit(":", 1)
    return host, int(port)


async def ask(place, request: bytes) -> int:
    """The status of one request on a connection of its own; 0: none came."""
    writer = None
    try:
        reader, writer = await asyncio.open_connection(*place)
        writer.write(request)
        async with asyncio.timeout(60):
            head = await reader.readuntil(b"\r\n")
        return int(head.split()[1])
    except (OSError, asyncio.IncompleteReadError, TimeoutError, IndexError):
        return 0
    finally:
        if writer:
            writer.close()


def request(method: str, path: str, token: str | None = None, body: dict | None = None) -> bytes:
    data = json.dumps(body).encode() if body else b""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(data)}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines.append("Content-Type: application/json")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


async def measured(seen: Seen, place, sent: bytes) -> None:
    started = time.monotonic()
    status = await ask(place, sent)
    seen.took.append(time.monotonic() - started)
    seen.answers[status] += 1


async def linger(place, number: int, sent: bytes, trickle: bytes) -> None:
    """A connection that never ends by itself; when it is closed, another one. Ports of several addresses are used."""
    while True:
        writer = None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            source = (f"127.0.0.{2 + number // 5000}", 0)
            reader, writer = await asyncio.open_connection(*place, local_addr=source)
            writer.write(sent)
            while trickle and not reader.at_eof():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):  # wait_for may swallow the end of this task, before Python 3.12
                        if not await reader.read(4096):
                            break
                writer.write(trickle)
            while not trickle and await reader.read(4096):
                pass
        if writer:
            writer.close()
        await asyncio.sleep(1 + number % 20)


async def repeat(pause: float, work) -> None:
    while True:
        await work()
        await asyncio.sleep(pause)


async def gather(url: str, token: str, strange: str, crowd: Crowd) -> None:
    """The crowd, until this process is ended."""
    place = host_port(url)
    half_body = b"POST /api/models/m/deployments HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
    signed_in = half_body + f"Authorization: Bearer {token}\r\n\r\n".encode()
    nobody = half_body + b"\r\n"
    tasks = [linger(place, i, b"", b"") for i in range(crowd.idle)]
    tasks += [linger(place, i, signed_in if i % 2 else nobody, b"x") for i in range(crowd.slow)]
    tasks += [
        repeat(0.2, lambda: ask(place, request("GET", "/api/deployments", strange))) for _ in range(crowd.strangers)
    ]
    await asyncio.gather(*tasks)


async def lay_siege(url: str, tokens: list[str], strange: str, create, crowd: Crowd, halfway) -> tuple[Seen, Seen]:
    """What people and the probe saw. `create(n)`: the path and body of the n-th creation; `halfway` is called then.
    The crowd is a process of its own: its work is not to be measured."""
    place, people, probe, made = host_port(url), Seen(), Seen(), iter(range(10**9))

    async def person(number: int) -> None:
        token = tokens[number % len(tokens)]
        n = next(made)
        path, body = create(n)
        sent = request("POST", path, token, body) if n % 4 == 0 else request("GET", "/api/deployments?limit=5", token)
        await measured(people, place, sent)

    command = [sys.executable, __file__, "--crowd", json.dumps([url, tokens[0], strange, asdict(crowd)])]
    gathered = subprocess.Popen(command)
    try:
        await asyncio.sleep(min(3.0, crowd.seconds / 4))
        honest = [asyncio.ensure_future(repeat(crowd.pause, lambda i=i: person(i))) for i in range(crowd.people)]
        honest.append(asyncio.ensure_future(repeat(0.05, lambda: measured(probe, place, request("GET", "/healthz")))))
        await asyncio.sleep(crowd.seconds / 2)
        halfway()
        await asyncio.sleep(crowd.seconds / 2)
    finally:
        gathered.kill()
        gathered.wait()
    for task in honest:
        task.cancel()
    await asyncio.gather(*honest, return_exceptions=True)
    return people, probe


def peak_memory_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))


def stop_or_continue(process_group_of: int, number: int) -> None:
    """Of a PostgreSQL: its postmaster and all that this has started."""
    children = Path(f"/proc/{process_group_of}/task/{process_group_of}/children").read_text().split()
    for pid in [process_group_of, *map(int, children)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def main() -> None:
    if sys.argv[1:2] == ["--crowd"]:
        url, token, strange, crowd = json.loads(sys.argv[2])
        raise_file_limit()
        asyncio.run(gather(url, token, strange, Crowd(**crowd)))
    from conftest import Lake, PostgreSQL, Server
    from deployments import ALL, body, fill
    from issuer import Issuer

    crowd = Crowd(seconds=float(sys.argv[1]) if len(sys.argv) > 1 else 20)
    with tempfile.TemporaryDirectory() as name, PostgreSQL(Path(name)) as postgresql:
        issuer = Issuer()
        lake = fill(Lake(Path(name) / "lake"))
        settings = {"auth.issuer": issuer.url, "auth.refresh_seconds": 5, "store.location": postgresql.new_database()}
        settings |= {"access.mode": "warn"} if "access.mode" in lake.cli("config").stdout else {}
        server = Server(lake.dir, settings)
        pid = postgresql.process.pid
        try:
            tokens = [issuer.token(sub=f"person-{i}", exp=int(time.time()) + 3600) for i in range(crowd.people)]
            assert asyncio.run(ask(host_port(server.url), request("GET", "/api/deployments", tokens[0]))) == 200
            issuer.answers.clear()
            strange = issuer.token({"kid": "nobody-knows"})
            people, probe = asyncio.run(
                lay_siege(
                    server.url,
                    tokens,
                    strange,
                    lambda n: (ALL, body(name=f"d{n}")),
                    crowd,
                    lambda: stop_or_continue(pid, signal.SIGSTOP),
                )
            )
            stop_or_continue(pid, signal.SIGCONT)
            issuer.answers.set()
            ended = time.monotonic()
            while time.monotonic() - ended < 60:
                status = asyncio.run(ask(host_port(server.url), request("GET", "/api/deployments", tokens[0])))
                if status == 200 and server.call("GET", "/readyz")[0] == 200:
                    break
                time.sleep(0.1)
            well = time.monotonic() - ended
            memory = peak_memory_mib(server.process.pid)
        finally:
            stop_or_continue(pid, signal.SIGCONT)
            issuer.answers.set()
            server.stop()
            issuer.stop()
    report(people, probe, memory, well)


def report(people: Seen, probe: Seen, memory: float, well: float) -> None:
    clear = sum(people.answers[s] for s in (200, 201, 429, 503)) / max(1, sum(people.answers.values()))
    print(f"{'':44}{'found':>12}{'wanted':>14}")
    rows = [
        ("health answers, worst of 99 in 100, ms", f"{probe.worst(0.99) * 1000:.0f}", "under 50"),
        ("health answers, worst, ms", f"{probe.worst(1) * 1000:.0f}", "under 50"),
        ("health answers that are not 200", str(sum(probe.answers.values()) - probe.answers[200]), "0"),
        ("people's requests, p99, ms", f"{people.worst(0.99) * 1000:.0f}", "under 250, or"),
        ("people's answers of 200, 201, 429, 503", f"{clear:.1%}", "100%"),
        ("peak memory, MiB", f"{memory:.0f}", "under 512"),
        ("all well again after, s", f"{well:.1f}", "under 5"),
    ]
    for what, found, wanted in rows:
        print(f"{what:44}{found:>12}{wanted:>14}")
    print("people:", dict(people.answers), "probe:", dict(probe.answers))


if __name__ == "__main__":
    main()
