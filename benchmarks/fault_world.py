"""A store with a client at work, to which a fault of some kind happens."""

import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import cut_proxy
import fault_clients
from fault_ledger import Count, Ledger

SERVER = Path(__file__).resolve().parents[1] / "server" / "ftpserver.py"
KINDS = {  # what happens to whom
    "client killed in upload": "dsgo",
    "store killed in upload": "dsgo",
    "store killed in download": "dsgo",
    "both killed in upload": "dsgo",
    "disk full": "dsgo",
    "connection closed": "dsgo",
    "connection reset": "dsgo",
    "connection silent": "dsgo",
    "MLflow's own client killed": "mlflow",
    "curl killed": "curl",
    "lftp killed": "lftp",
}
DISK = 160 * 2**20  # bytes of the small file system
SECONDS, PLAIN_SECONDS = 60, 10  # that a client may take to end; MLflow's own may wait for good
fork = multiprocessing.get_context("fork")  # MLflow's imports, once


class World:
    """A store on an empty folder, the client that uses it, and what is known to be acknowledged."""

    def __init__(self, kind: str, plain: bool, seed: str, home: Path, stack: ExitStack) -> None:
        """Start the store, and what else the kind of fault needs."""
        self.kind, self.home, self.stack = kind, home, stack
        self.client, self.plain = "mlflow" if plain else KINDS[kind], plain
        self.checker = self.client if self.client == "mlflow" and plain else "dsgo"
        self.chance, self.ledger = random.Random(seed), Ledger()
        self.count = self.ledger.count
        self.disk = home / "disk"
        self.disk.mkdir()
        self.port, *self.passive = free_ports(64)
        self.host = cut_proxy.TARGET
        stack.callback(lambda: end(self.store))
        self.start_store()
        if kind.startswith("connection"):
            self.orders, orders = fork.Pipe()
            proxy = fork.Process(target=cut_proxy.serve, args=([self.port, *self.passive], orders))
            proxy.start()
            stack.callback(proxy.join)
            stack.callback(proxy.kill)
            if not self.orders.poll(20) or self.orders.recv() != "listening":
                raise RuntimeError("the proxy does not listen")
            self.host = cut_proxy.LISTEN

    @property
    def uri(self) -> str:
        """Where clients find the store: the workshop's user, as MLflow's own client has no other way."""
        return f"ftp://guest:12345@{self.host}:{self.port}/artifacts"

    def start_store(self) -> None:
        """Start the store and wait until it answers."""
        passive = f"{self.passive[0]}-{self.passive[-1]}"
        root = self.disk / "root"
        if self.plain:
            root.mkdir(exist_ok=True)
            command = [sys.executable, "-m", "pyftpdlib", "-i", cut_proxy.TARGET, "-p", str(self.port), "-w"]
            command += ["-d", str(root), "-u", "guest", "-P", "12345", "-r", passive]
        else:
            command = [sys.executable, str(SERVER), "--port", str(self.port), "--root", str(root), "--min-free", "0"]
            command += ["--users", str(self.home / "users.json"), "--passive-ports", passive]
        if self.kind == "disk full":  # a file system of its own, which nobody else sees and which goes with the process
            script = f'mount -t tmpfs -o size={DISK} none "$0" && mkdir -p "$0/root" && exec "$@"'
            command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(self.disk), *command]
        environment = {name: value for name, value in os.environ.items() if name != "DSGO_FTP_PASSWORD"}
        with (self.home / "store.log").open("ab") as log:
            self.store = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        deadline = time.monotonic() + 30
        while not answers(self.port):
            if self.store.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.home / "store.log").read_text()[-2000:])
            time.sleep(0.02)

    def kill_store(self) -> None:
        """Kill -9."""
        self.store.kill()
        self.store.wait(20)

    def restart_store(self) -> None:
        """Start the killed store, after a while."""
        time.sleep(self.chance.uniform(0, 0.3))
        self.start_store()

    # ---- one fault

    def run(self, number: int) -> None:
        """Let a client work, do something bad to it or to the store, and look at what is left."""
        busy, stop = fork.Value("i", 0), fork.Event()
        work = fault_clients.download_on if self.kind.endswith("download") else fault_clients.upload_on
        seed = f"{self.chance.random()}"
        arguments = (self.client, self.uri, self.home, number * 100_000, seed, busy, stop)
        client = fork.Process(target=work, args=arguments)
        client.start()
        try:
            deadline = time.monotonic() + SECONDS
            while not busy.value and client.is_alive() and time.monotonic() < deadline:
                time.sleep(0.001)
            self.strike(client, busy)
            stop.set()
            seconds = PLAIN_SECONDS if self.plain else SECONDS
            client.join(seconds)
            if client.is_alive():
                self.count.failed += 1
                self.count.reasons.append(f"{self.kind}: the client did not end within {seconds} s")
        finally:
            kill_group(client)
        self.count.faults += 1
        self.look(number)

    def strike(self, client: Any, busy: Any) -> None:
        """Do the bad thing, at a random moment."""
        if self.kind.startswith("connection"):
            self.orders.send((self.kind.split()[1], self.chance.randint(0, 60_000_000)))
            self.count.in_transfer += self.orders.poll(SECONDS) and self.orders.recv() == "cut"
            return
        time.sleep(self.chance.uniform(0, 0.6))
        deadline = time.monotonic() + 2
        while not busy.value and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(self.chance.uniform(0, 0.05))
        self.count.in_transfer += busy.value
        if self.kind == "disk full":
            ballast = Path(f"/proc/{self.store.pid}/root{self.disk}/ballast")
            left = self.chance.choice([0, 30_000, 5_000_000])
            with ballast.open("wb") as file:
                free = shutil.disk_usage(ballast.parent).free
                with suppress(OSError):  # an upload took it meanwhile: it is full as well
                    os.posix_fallocate(file.fileno(), 0, max(1, free - left))
            time.sleep(self.chance.uniform(0.1, 0.5))
            ballast.unlink()
            return
        victims: list[Callable[[], None]] = []
        if not self.kind.startswith("store"):
            victims.append(lambda: kill_group(client))
        if self.kind.startswith(("store", "both")):
            victims.append(self.kill_store)
        for kill in self.chance.sample(victims, len(victims)):
            kill()
        if self.store.returncode is not None:
            self.restart_store()

    def look(self, number: int) -> None:
        """Run the next client and hold what it finds against what was acknowledged."""
        for name, version in self._lines("journal"):
            self.ledger.note(name, int(version))
        for _, state in self._lines("downloads"):
            self.count.files += 1
            self.count.torn += state == "torn"
        result = self.next_run(number)
        if isinstance(result, str):
            self.count.failed += 1
            self.count.reasons.append(f"{self.kind}: {result}")
        else:
            self.ledger.hold(*result)
            self.ledger.note(f"next/run{number}", number)

    def _lines(self, name: str) -> list[list[str]]:
        """Return the words of each line in a client's journal, which is then gone."""
        path = self.home / name
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def next_run(self, number: int) -> Any:
        """Return what the next client finds, or what went wrong."""
        ours, theirs = fork.Pipe()
        runner = fork.Process(target=fault_clients.next_run, args=(self.checker, self.uri, self.home, number, theirs))
        runner.start()
        theirs.close()
        try:
            return ours.recv() if ours.poll(SECONDS) else f"the next run did not end within {SECONDS} s"
        except EOFError:
            return "the next run died"
        finally:
            runner.kill()
            runner.join()


def free_ports(number: int) -> list[int]:
    """Return consecutive ports that nobody listens on now."""
    for _ in range(100):
        first = random.SystemRandom().randrange(12_000, 30_000)
        with ExitStack() as stack, suppress(OSError):
            for port in range(first, first + number):
                stack.enter_context(socket.create_server((cut_proxy.TARGET, port)))
            return list(range(first, first + number))
    raise RuntimeError("no free ports")


def answers(port: int) -> bool:
    """Tell whether a store answers there."""
    with suppress(OSError), socket.create_connection((cut_proxy.TARGET, port), timeout=5) as connection:
        return connection.recv(3) == b"220"
    return False


def kill_group(process: Any) -> None:
    """Kill a client with the programs that it runs, and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a store, if it still runs."""
    process.kill()
    process.wait(20)


def run_chunk(kind: str, plain: bool, faults: int, seed: str) -> tuple[str, bool, Count]:
    """Do some faults of one kind on one store."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        world = World(kind, plain, seed, home, stack)
        if kind.endswith("download"):
            filler = fork.Process(target=fault_clients.fill, args=(world.checker, world.uri, home))
            filler.start()
            filler.join(SECONDS)
            for name in fault_clients.SMALL + fault_clients.BIG:
                world.ledger.note(name, 1)
        for number in range(1, faults + 1):
            world.run(number)
        return kind, plain, world.count
