"""Texts on one line, whatever names are in them: a file may be called by line breaks and by commands to a terminal. Also counts
with their nouns."""

from __future__ import annotations

import logging
import re
import sys

# Control characters, line separators, halves of characters, and signs that turn the direction of what follows.
_UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with its control characters written out, such as a line break as \\n. Spaces and joiners of all scripts stay."""
    return _UNPRINTABLE.sub(lambda sign: sign[0].encode("unicode_escape").decode(), text)


def counted(count: int, noun: str) -> str:
    """A count and what is counted, such as "1 frame" and "2 frames", for nouns whose plural ends in s."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def say(*lines: str, err: bool = False) -> None:
    """Print lines to standard output, or with `err` to standard error. They are made `printable`."""
    for line in lines:
        print(printable(line), file=sys.stderr if err else sys.stdout, flush=True)


class OneLine(logging.Formatter):
    """Each message of a log is one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))
