"""Who a part file, a journal or a lock belongs to: a process of a host, and whether it lives."""

import re
import socket
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Self

import psutil

SAME_START_S = 3
"""A process is the one that is meant if it began within so many seconds of what was noted:
clocks are set, and the system's notion of a start moves with them."""

HOST_LENGTH = 32
_TAG = re.compile(r"(?P<host>[A-Za-z0-9_-]{1,32})\.(?P<pid>[0-9]{1,10})-(?P<started>[0-9]{1,12})")


class Life(Enum):
    """What is known of an owner from here."""

    ALIVE = "alive"
    DEAD = "dead"
    ELSEWHERE = "elsewhere"
    """It is of another host, which cannot be asked."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process."""

    host: str
    pid: int
    started: int
    """When it began, in seconds since 1970."""

    @classmethod
    def here(cls) -> Self:
        """This process."""
        pid, started = _own()
        return cls(_host(), pid, started)

    @classmethod
    def parse(cls, tag: str) -> Self | None:
        """The owner that ``str`` wrote as ``tag``, or None."""
        found = _TAG.fullmatch(tag)
        return None if found is None else cls(found["host"], int(found["pid"]), int(found[3]))

    @property
    def life(self) -> Life:
        """Whether it still runs."""
        if self.host != _host():
            return Life.ELSEWHERE
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.started) <= SAME_START_S
            is_running = is_same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return Life.DEAD
        except psutil.AccessDenied:
            return Life.ALIVE
        return Life.ALIVE if is_running else Life.DEAD

    def __str__(self) -> str:
        """As a part of a file's name: ``host.pid-started``."""
        return f"{self.host}.{self.pid}-{self.started}"

    @property
    def said(self) -> str:
        """As a sentence names it."""
        return f"process {self.pid} on `{self.host}`"


@cache
def _host() -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:HOST_LENGTH] or "host"


def _own() -> tuple[int, int]:
    process = psutil.Process()
    return process.pid, round(process.create_time())
