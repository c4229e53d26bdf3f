"""Random streams by label: one 64-bit seed per run, one independent Philox stream per label.

A stream depends on (seed, label) alone, so a new draw in one place moves no other (architecture, section 10).
"""

import hashlib
import struct

import numpy as np

SEED_LIMIT = 1 << 64


def seed_sequence(seed: int, *labels: str | int) -> np.random.SeedSequence:
    """The seed sequence of ``labels`` under ``seed`` (0 <= seed < 2**64); spawn key = BLAKE2b-128 of the labels.

    numpy is given the words that it makes of seed and spawn key itself (``SeedSequence.get_assembled_entropy``).
    """
    if not 0 <= seed < SEED_LIMIT:
        raise ValueError(f"seed {seed} is outside 0..2**64-1")
    key = hashlib.blake2b("\x1f".join(map(str, labels)).encode(), digest_size=16).digest()
    words = struct.unpack("<8I", seed.to_bytes(16, "little") + key)
    return np.random.SeedSequence(np.array(words, dtype=np.uint32))


def stream(seed: int, *labels: str | int) -> np.random.Generator:
    """A Philox generator for ``labels`` under ``seed``."""
    return np.random.Generator(np.random.Philox(seed_sequence(seed, *labels)))
