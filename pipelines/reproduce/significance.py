"""Is one system better than another, or was it luck?"""

from __future__ import annotations

import numpy as np

ROUNDS = 10_000


def paired_p_value(first: np.ndarray, second: np.ndarray, users: np.ndarray, seed: int = 0) -> float:
    """Two-sided p-value of the mean difference, by flipping signs user by user.

    Targets of one user hang together, so a user's differences are summed and change sign together (a paired
    permutation test with 10,000 draws).

    Args:
        first, second: float [targets] gains of two systems on the same targets, each a mean over its seeds.  NaN in
            either leaves a target out.
        users: int [targets], which user each target is of.
        seed: of the draws.

    Returns:
        Between 1 / 10,001 and 1; NaN where no target is left.
    """
    difference = first - second
    known = ~np.isnan(difference)
    if not known.any():
        return float("nan")
    sums = np.bincount(users[known], weights=difference[known])
    sums = sums[sums != 0]
    if len(sums) == 0:
        return 1.0
    observed = abs(sums.sum())
    rng = np.random.default_rng(seed)
    extreme = 0
    for _ in range(0, ROUNDS, 500):  # bounded memory
        signs = rng.integers(0, 2, (500, len(sums)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ sums) >= observed * (1 - 1e-12)).sum())
    return (extreme + 1) / (ROUNDS + 1)
