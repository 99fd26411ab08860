"""What goes wrong in a way that whoever gave the command can mend."""


class UserError(Exception):
    """The message says what is wrong and what to do about it."""
