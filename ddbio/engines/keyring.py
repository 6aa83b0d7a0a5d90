"""The newest AWS keys of the tables of a job, for the workers that the parent hands them to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ddbio.aws.credentials import Keys, KeysProvider, NewestKeys
from ddbio.messages import UnitReport


class KeyRing:
    """providers: by the role of the table. Each is asked from a thread of its own until `end`.

    Raises the provider's error if it has no keys to begin with.
    """

    def __init__(self, providers: Mapping[str, KeysProvider]) -> None:
        self._newest: dict[str, NewestKeys] = {}
        try:
            for role, provider in providers.items():
                self._newest[role] = NewestKeys(provider)
        except BaseException:
            self.end()
            raise
        self.handed = {role: newest.current for role, newest in self._newest.items()}

    def renewed(self) -> Iterator[tuple[str, Keys]]:
        """Those that are newer than the ones in `handed`, which they now replace."""
        for role, newest in self._newest.items():
            keys = newest.current
            if keys != self.handed[role]:
                self.handed[role] = keys
                yield role, keys

    def news(self) -> Iterator[str]:
        """Notices about renewals since the last call, a sentence each."""
        for newest in self._newest.values():
            yield from newest.news()

    @property
    def failure(self) -> str:
        """Why keys could not be renewed the last time, a sentence; empty if they could."""
        return next((newest.failure for newest in self._newest.values() if newest.failure), "")

    def explained(self, report: UnitReport) -> UnitReport:
        """A unit that failed while keys could not be renewed failed, most likely, because of that: its error says
        so."""
        error, failure = report.error, self.failure
        if error is None or not failure:
            return report
        message = f"{error.message}; the AWS keys could not be renewed: {failure}"
        return replace(report, error=type(error)(message, error.hint))

    def end(self) -> None:
        """Ask no more."""
        for newest in self._newest.values():
            newest.end()
