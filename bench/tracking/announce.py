"""The process of `bench ui` that prints the address of the dashboard when its server answers.

`python announce.py SERVER ADDRESS TEXT` asks the address of the process SERVER, its parent, until there is an answer,
and prints the text. It needs the standard library alone, so that it starts at once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import urllib.error
import urllib.request

POLL = 0.2  # seconds between two questions
ANSWER = 5.0  # seconds that one answer may take
PATIENCE = 60.0  # seconds after which the address is printed without an answer


def words(address: str, text: str) -> list[str]:
    """The command of this process, as a child of the one that becomes the server."""
    return [sys.executable, "-P", __file__, str(os.getpid()), address, text]


def answers(address: str) -> bool:
    """Whether a server is there. Any answer will do."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(f"{address}/health", timeout=ANSWER).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def announce(server: int, address: str, text: str) -> None:
    """Print the text when the server answers, with a remark when it does not for long, and never when it has ended."""
    end = time.monotonic() + PATIENCE
    while os.getppid() == server:
        if answers(address):
            print(text, flush=True)
            return
        if time.monotonic() > end:
            print(f"{text}\nIt has not answered for {PATIENCE:.0f} s.", flush=True)
            return
        time.sleep(POLL)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends this process without a word
    announce(int(sys.argv[1]), *sys.argv[2:])
