"""Errors that a user can cause and mend; the command line prints them as one line."""


class UserError(Exception):
    """Something about the input or the environment is wrong; the message says what, in one line."""
