"""What a server and its workers share: a token by which they know each other."""

from __future__ import annotations

import hashlib
import hmac

TOKEN, DATABASE = "MASKLET_WORKER_TOKEN", "MASKLET_DATABASE"
"""Variables of a worker's environment: the token, and the URL of the database."""


def worker_token(secret: bytes) -> str:
    """The token of workers of a workspace, from its secret."""
    return hmac.new(secret, b"masklet model worker", hashlib.sha256).hexdigest()
