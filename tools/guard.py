"""Refuse what must never be committed: secrets, and files too large for a source repository.

    python tools/guard.py FILE...    check these files (what the pre-commit hook does)
    python tools/guard.py            check every file git knows about

Exit code 1 if anything was found. The finding names file, line and kind, never the text itself. A line that only looks
like a secret carries the words "not a secret" and the reason.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LARGEST_BYTES = 600_000
PARDON = "not a secret"

#: Kind of secret -> what it looks like. Group "value", where there is one, must also look random.
SECRETS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "an AWS key id": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    "an Alpaca key id": re.compile(r"\b(?P<value>[PAC]K[A-Z0-9]{18}(?:[A-Z0-9]{6})?)\b"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[0-9A-Za-z]{36,}\b"),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@\"']+:(?P<value>[^/\s:@\"'<>{}$]{12,})@"),
    "an assigned secret": re.compile(
        r"(?i)(?:secret|token|passw(?:or)?d|api_?key)[a-z0-9_]*[\"']?\s*[:=]\s*[\"']?(?P<value>[A-Za-z0-9/+_=-]{24,})"
    ),
}


def bits_per_character(text: str) -> float:
    """Shannon entropy of the characters of `text`; English words lie near 3, random letters and digits above 3.5."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)


def is_random(text: str) -> bool:
    """Whether `text` looks drawn by chance: digits among letters, and hardly a repeat."""
    return bool(re.search(r"\d", text) and re.search(r"[A-Za-z]", text)) and bits_per_character(text) > 3.2


def secrets_in(text: str) -> Iterator[tuple[int, str]]:
    """Line number and kind of everything in `text` that looks like a secret."""
    for number, line in enumerate(text.splitlines(), 1):
        if PARDON in line:
            continue
        for kind, pattern in SECRETS.items():
            found = pattern.search(line)
            if found and ("value" not in pattern.groupindex or is_random(found["value"])):
                yield number, kind
                break


def faults(path: Path) -> Iterator[str]:
    """What is wrong with one file, in sentences."""
    if path.name.startswith(".env") and path.name != ".env.example":
        yield f"{path}: a file of settings holds keys; keep it out of the repository (.gitignore names it)"
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        yield f"{path}: {size:,} bytes is over the limit of {LARGEST_BYTES:,}; bring data as a package or derive it"
        return
    for number, kind in secrets_in(path.read_text(encoding="utf-8", errors="replace")):
        yield f"{path}:{number}: looks like {kind}; take it out and revoke it, or write '{PARDON}: why' on the line"


def tracked() -> list[Path]:
    """The files git knows about."""
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in listed.split("\0") if name]


def main(arguments: list[str]) -> int:
    """Check the files named, or all that are tracked."""
    files = [Path(name) for name in arguments] or tracked()
    found = [fault for path in files if path.is_file() and not path.is_symlink() for fault in faults(path)]
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
