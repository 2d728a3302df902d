"""A server that answers before the commit: proves that tests/faults/run.py would notice (`--sabotage`)."""

import asyncio

from survey.storage import responses
from survey.storage.database import Database

_honest = Database.write
_tasks: set[asyncio.Task] = set()


async def _hasty(self, fn, *args, **kwargs):
    if fn is not responses.append:
        return await _honest(self, fn, *args, **kwargs)

    async def afterwards():
        await asyncio.sleep(0.05)
        await _honest(self, fn, *args, **kwargs)

    task = asyncio.ensure_future(afterwards())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return []


Database.write = _hasty
