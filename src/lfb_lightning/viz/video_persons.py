"""Where persons are between the moments at which they were looked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

LONGEST_STEP = 2.5  # seconds between two moments, above which nothing is known about what lies between


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedPerson:
    """One person at one moment.

    Args:
        track: The number that this person keeps over moments.
        box: Corners `x1, y1, x2, y2` as fractions of the picture.
        actions: Names with scores, best first; all of them are drawn, so leave out those below the threshold.
    """

    track: int
    box: tuple[float, float, float, float]
    actions: Sequence[tuple[str, float]]


Moment = tuple[float, Sequence[TrackedPerson]]


class PersonsBetweenMoments:
    """Persons at any second, from persons at moments; `page/template/persons.js` follows the same rule.

    A person who is there at both moments around a second moves from one box to the other in a straight line. A person who is
    there at one of them only is shown in the half of the step that is next to it, and so are all if the step is longer than
    `LONGEST_STEP`, for half of 2 seconds at most.

    Args:
        moments: Seconds, ascending, with the persons there. They are read one step ahead only.
    """

    def __init__(self, moments: Iterable[Moment]) -> None:
        self._moments: Iterator[Moment] = iter(moments)
        self._before: Moment | None = None
        self._after: Moment | None = next(self._moments, None)
        self._step = 1.0
        self.passed = 0  # the number of moments up to the second asked for last

    def at(self, second: float) -> list[TrackedPerson]:
        """Return the persons at a second, which must not be earlier than the one asked for before.

        Raises:
            ValueError: The moments do not ascend.
        """
        while self._after is not None and self._after[0] <= second:
            self._before, self._after = self._after, next(self._moments, None)
            self.passed += 1
            if self._after is not None:
                self._step = self._after[0] - self._before[0]
                if not self._step > 0:
                    raise ValueError(f"moments do not ascend: {self._after[0]} s follows {self._before[0]} s")
        before, after = self._before, self._after
        hold = min(self._step, 2.0) / 2
        early = {} if before is None else {person.track: person for person in before[1]}
        late = {} if after is None else {person.track: person for person in after[1]}
        if before is None or after is None or self._step > LONGEST_STEP:
            shown = list(early.values()) if before is not None and second - before[0] < hold else []
            return shown + (list(late.values()) if after is not None and after[0] - second <= hold else [])
        part = (second - before[0]) / self._step
        near, far = (early, late) if part < 0.5 else (late, early)
        moving = {track: _between(early[track], late[track], part) for track in early.keys() & late.keys()}
        return [replace(person, box=moving[track]) if track in far else person for track, person in near.items()]


def _between(first: TrackedPerson, second: TrackedPerson, part: float) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (a + part * (b - a) for a, b in zip(first.box, second.box, strict=True))
    return x1, y1, x2, y2
