"""Which samples make which batch on which rank: global batches, dealt to ranks like cards.

N ranks with batches of B see in step k exactly the samples that one rank with a batch of N*B sees, in an order that
depends on (seed, epoch) alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Sampler


@dataclass(frozen=True, slots=True)
class SampleKey:
    """Identifies one drawing of a sample: all that its augmentation depends on, beside the seed.

    Args:
        index: Place of the sample among those of its split.
        epoch: The epoch in which it is drawn.
        repeat: How often it was drawn in that epoch before, which only weighted sampling does.
    """

    index: int
    epoch: int
    repeat: int = 0


class DealtBatches(Sampler[list[SampleKey]]):
    """Batches of `batch_size` for one rank.

    While training (`shuffle`), each rank needs a share of every step, so of a last global batch smaller than the number
    of ranks the rest is left for another epoch's order. In evaluation nothing is left out and nothing repeated.
    With `weights` `[num_samples]` an epoch's samples are drawn by them, with replacement, as many as there are.
    """

    def __init__(
        self,
        num_samples: int,
        *,
        batch_size: int,
        seed: int,
        shuffle: bool,
        rank: int = 0,
        world_size: int = 1,
        weights: Tensor | None = None,
    ) -> None:
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.weights = weights
        self.epoch = 0
        self._resumed: tuple[int, int] = (-1, 0)

    @property
    def sampler(self) -> DealtBatches:
        """Return itself: Lightning looks for `set_epoch` on a loader's `sampler` and `batch_sampler.sampler` only."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order is drawn next (Lightning calls this)."""
        self.epoch = epoch

    def resume(self, epoch: int, batch: int) -> None:
        """Leave out the first `batch` batches of `epoch`, and of that epoch only."""
        self._resumed = (epoch, batch)

    @property
    def first_batch(self) -> int:
        """Number of the first batch of this epoch that is given out."""
        epoch, batch = self._resumed
        return batch if epoch == self.epoch else 0

    def __len__(self) -> int:
        # Lightning leaves a rank of length 0 out of its evaluation loop, and the others would wait for it.
        return len(self._starts()) or (0 if self.shuffle else 1)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        order = list(range(self.num_samples))
        repeats = [0] * self.num_samples
        if self.shuffle:
            generator = torch.Generator().manual_seed((self.seed << 20) + self.epoch)
            if self.weights is None:
                order = torch.randperm(self.num_samples, generator=generator).tolist()
            else:
                drawn = torch.multinomial(self.weights, self.num_samples, replacement=True, generator=generator)
                order = drawn.tolist()
                repeats = _repeats(order)
        for start in self._starts()[self.first_batch :]:
            dealt = slice(start + self.rank, start + self.batch_size * self.world_size, self.world_size)
            yield [
                SampleKey(index, self.epoch, repeat) for index, repeat in zip(order[dealt], repeats[dealt], strict=True)
            ]

    def _starts(self) -> list[int]:
        starts = list(range(0, self.num_samples, self.batch_size * self.world_size))
        needed = self.world_size if self.shuffle else self.rank + 1
        return [start for start in starts if self.num_samples - start >= needed]


def _repeats(order: list[int]) -> list[int]:
    """Count how often each drawn index stands earlier in the order."""
    seen: Counter[int] = Counter()
    repeats = []
    for index in order:
        repeats.append(seen[index])
        seen[index] += 1
    return repeats


def deal_longest_first(lengths: dict[str, int], num_hands: int) -> list[list[str]]:
    """Deal names to hands, the longest first, each to the hand with the least so far.

    Args:
        lengths: Length of each name.
        num_hands: Number of hands.

    Returns:
        The names of each hand; the same for equal input.
    """
    hands: list[list[str]] = [[] for _ in range(num_hands)]
    totals = [0] * num_hands
    for name in sorted(lengths, key=lambda name: (-lengths[name], name)):
        hand = totals.index(min(totals))
        hands[hand].append(name)
        totals[hand] += lengths[name]
    return hands
