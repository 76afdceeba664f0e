"""Signs what is pickled in a run on CloudFlow by the key of this user on this machine.

Whoever may use the account can write executions and messages, so no pickle from there is loaded
unless this user's own nbflow wrote it for that very place. Machines that share work share the
key, by ``NBFLOW_DATA_DIR``.
"""

from __future__ import annotations

import hashlib
import hmac

from nbflow.store.seal import key

_FOREIGN = "it does not carry the signature of this user's key, so somebody else wrote it"


class KeySeal:
    """Signs with the user's key, see `nbflow.store.seal`."""

    def sign(self, claim: bytes) -> str:
        """Give the signature of a claim."""
        return hmac.new(key(), b"cloudflow " + claim, hashlib.sha256).hexdigest()

    def refusal(self, claim: bytes, sig: str) -> str:
        """Say why a signature is no good for a claim; "" if it is."""
        return "" if sig and hmac.compare_digest(self.sign(claim), sig) else _FOREIGN
