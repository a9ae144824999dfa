"""What the store refuses, each with a sentence for the user."""

from __future__ import annotations


class NotFound(LookupError):
    """There is no such thing, or no longer."""


class Refused(ValueError):
    """The rules of the work do not allow it."""


class LeaseLost(Refused):
    """The task is not in the hands of who acts: the lease ran out and somebody else took it, or it is done."""


class NoWorker(Refused):
    """No model worker is alive."""


class Forbidden(PermissionError):
    """The role of the user does not allow it."""
