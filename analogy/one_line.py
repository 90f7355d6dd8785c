"""Texts on one line, whatever names are in them: a file may be called by line breaks and by commands to a terminal."""

from __future__ import annotations

import logging


def printable(text: str) -> str:
    """The text with its control characters written out, such as a line break as \\n."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


class OneLine(logging.Formatter):
    """Each message of a log is one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))
