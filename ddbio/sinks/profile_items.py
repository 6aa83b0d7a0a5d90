"""A sink that profiles the items of a table. A report has the profile of the items since the one before."""

from __future__ import annotations

from typing import Any

from ddbio.messages import Tally
from ddbio.sinks.sink import SettlesAtOnce
from ddbio.steps.records import Records
from ddbio.values.profile import Profile, Subject, encode_profile


class ProfileItems(SettlesAtOnce):
    """See `ddbio.sinks.sink.Sink`. Its records are pages of attribute maps."""

    def __init__(self, tally: Tally, subject: Subject) -> None:
        self._tally = tally
        self._subject = subject
        self._profile = Profile()
        self._empty = True

    def begin(self, unit: Any) -> None:
        self._profile, self._empty = Profile(), True

    async def take(self, records: Records) -> None:
        items = records.rows()
        assert items is not None, "no step changes the items that are inspected"
        if items:
            self._profile.add(items, self._subject)
            self._empty = False
        self._tally.counted += len(items)

    def take_parts(self) -> dict[str, Any]:
        if self._empty:
            return {}
        profile, self._profile, self._empty = self._profile, Profile(), True
        return {"page": encode_profile(profile)}
