"""The heaviest keys of a stream in bounded memory: the mergeable sketch of Misra and Gries. Pure.

At most `most` keys are kept. When there are more, the weight of the heaviest one that must go is taken from all, and
those that have nothing left are dropped. So a kept weight is never more than the true one, and less by at most
`error`, which is at most the weight of everything / (most + 1); a key that is not kept weighs at most `error`. Both
hold however a stream is divided and in whatever order the parts are merged (Agarwal et al., "Mergeable summaries").
As long as there are at most `most` keys, all is exact.
"""

from __future__ import annotations

import msgspec

MOST_KEYS = 1000


class HeavyHitters(msgspec.Struct):
    """weights: by key. items: of these, seen while the key was kept; at most the true number. error: see above."""

    most: int = MOST_KEYS
    weights: dict[str, int] = {}
    items: dict[str, int] = {}
    error: int = 0

    def add(self, key: str, weight: int, items: int = 1) -> None:
        """To be followed by `prune`, after some of these."""
        self.weights[key] = self.weights.get(key, 0) + weight
        self.items[key] = self.items.get(key, 0) + items

    def prune(self) -> None:
        """Keep at most `most` keys."""
        if len(self.weights) <= self.most:
            return
        taken = sorted(self.weights.values(), reverse=True)[self.most]
        self.error += taken
        self.weights = {key: weight - taken for key, weight in self.weights.items() if weight > taken}
        self.items = {key: self.items[key] for key in self.weights}

    def merge(self, other: HeavyHitters) -> None:
        for key, weight in other.weights.items():
            self.add(key, weight, other.items[key])
        self.error += other.error
        self.prune()

    def heaviest(self, count: int) -> list[tuple[str, int, int]]:
        """Keys, least weights and least numbers of items, the heaviest first."""
        ordered = sorted(self.weights.items(), key=lambda each: (-each[1], each[0]))
        return [(key, weight, self.items[key]) for key, weight in ordered[:count]]
