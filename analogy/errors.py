"""The one exception that means "you can mend this": its message is printed as one line, without a stack trace."""

import contextlib


class UserError(Exception):
    """A fault of the input, not of the program. The message names the file or key and says how to mend it."""


@contextlib.contextmanager
def about(setting: str):
    """Let a UserError from within begin with the setting that led to it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{setting}: {error}") from error
