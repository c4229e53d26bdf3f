"""Random streams by label: one 64-bit seed per run, one independent Philox stream per label.

A stream depends on (seed, label) alone, so a new draw in one place moves no other (architecture, section 10).
"""

import hashlib

import numpy as np

SEED_LIMIT = 1 << 64


def seed_sequence(seed: int, *labels: str | int) -> np.random.SeedSequence:
    """The seed sequence of ``labels`` under ``seed`` (0 <= seed < 2**64); spawn key = BLAKE2b-128 of the labels."""
    if not 0 <= seed < SEED_LIMIT:
        raise ValueError(f"seed {seed} is outside 0..2**64-1")
    text = "\x1f".join(str(label) for label in labels).encode()
    digest = hashlib.blake2b(text, digest_size=16).digest()
    key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
    return np.random.SeedSequence(seed, spawn_key=key)


def stream(seed: int, *labels: str | int) -> np.random.Generator:
    """A Philox generator for ``labels`` under ``seed``."""
    return np.random.Generator(np.random.Philox(seed_sequence(seed, *labels)))
