"""One container of a job, as a process of this machine."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable

import settings

# A process whose parent is gone must not outlive the test.
_leash = [shutil.which("setpriv"), "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []


class JobProcess:
    """Runs a command; its lines of both outputs go to `on_line`."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: str | None, on_line: Callable[[str], None]):
        self._process = subprocess.Popen(
            [*_leash, *command],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(on_line,), daemon=True)
        self._reader.start()

    def _read(self, on_line: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            on_line(line.decode("utf-8", "replace").rstrip("\n"))

    def wait(self, timeout: float) -> int | None:
        """The exit code as Docker reports it (128 + n for a signal), or None while it runs."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(2)
        return code if code >= 0 else 128 - code

    def terminate(self) -> None:
        """What `docker stop` does first: only the container's first process hears it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """What the end of a container, or of its host, does: nothing in it goes on."""
        for pid in [*_descendants(self._process.pid), self._process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as stat:
            # The name in parentheses may hold anything, so fields are counted from its end.
            parent = int(stat.read().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
