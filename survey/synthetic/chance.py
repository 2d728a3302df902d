"""Chance that belongs to a person and a question, not to the order of asking.

`uniform(seed, "wallet_last_use", ids)` is the same for person 17 whether the person is asked alone, among a sample,
or with the whole province. So what a person answers in a survey is what a census would have noted, and the truth
can be computed for everybody without keeping everybody's answers.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def uniform(seed: int, name: str, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """One number in [0, 1) for each id, as if independent between ids, names and seeds.

    The ids pass through the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014), keyed by the seed and the name.
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    key, odd = (int.from_bytes(digest[at : at + 8], "little") for at in (0, 8))
    z = ids.astype(np.uint64) * np.uint64(odd | 1) + np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    numbers: NDArray[np.float64] = (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers
