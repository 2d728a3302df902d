"""Everything that is sealed, sealed anew by another data key (`survey keys rotate`)."""

from __future__ import annotations

from sqlalchemy import Connection

from survey.storage import factors, identities
from survey.storage.vault import Vault


def reseal(connection: Connection) -> int:
    """Seal every field with a new data key and destroy the old ones; returns how many households have an address.

    Also seals what an older version of this software kept open.
    """
    addresses, secrets = identities.everyone(connection), factors.secrets(connection)
    vault = Vault(connection)
    identities.destroy_all(connection)
    vault.rotate(connection)
    identities.keep(connection, addresses.values())
    factors.reseal(connection, secrets)
    vault.forget_old(connection)
    return len(addresses)
