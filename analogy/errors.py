"""The one exception that means "you can mend this": its message is printed as one line, without a stack trace."""


class UserError(Exception):
    """A fault of the input, not of the program. The message names the file or key and says how to mend it."""
