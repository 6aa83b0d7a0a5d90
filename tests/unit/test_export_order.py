"""The order in which an export completes its files, its manifest and its journal, with a collaborator that fails at
every step in turn: nothing is reported that is not there, and the same command again completes it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.engines.engine import Events
from ddbio.errors import TransferError
from ddbio.formats import get_format
from ddbio.job import journal as journal_module
from ddbio.job import spine
from ddbio.job.opening import open_journal
from ddbio.job.progress import QuietProgress
from ddbio.job.run import Run
from ddbio.layouts.own import MANIFEST_NAME
from ddbio.messages import ExportCursor, ExportedFile, Flushed, SegmentUnit, Tally, UnitReport
from ddbio.messages.format_spec import JSON
from ddbio.rate.caps import choose_cap
from ddbio.sinks.segment_files import LineFiles
from ddbio.storage import s3, s3_client
from ddbio.storage.local import LocalStorage
from ddbio.storage.s3 import S3Storage
from ddbio.system.stop import StopFlag
from ddbio.verbs import export_files
from ddbio.verbs.export_table import Export as ExportVerb
from ddbio.verbs.export_table import ExportResult
from ddbio.verbs.options import ExportOptions
from tests.support.failing import Failing
from tests.support.fake_s3 import OPERATIONS, FakeS3, client_error
from tests.support.service import ScriptedEngine
from tests.support.tables import table

# --------------------------------------------------------------------------- completing an export

STEPS = ["discard_unfinished", "contents", "remove", "contents", "write_small"]
STRAY = "Orders-0000-00009.json"  # finished by a worker that was killed before it could report it


@dataclass
class Export:
    """An export of one segment into a folder. completes: what the journal said when the manifest was written."""

    root: Path
    worked: int = 0
    completes: list[bool] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.root / "out"

    def run(self, monkeypatch: pytest.MonkeyPatch, fails_at: int | None) -> tuple[ExportResult, list[str]]:
        """The result, and the steps that were taken after the files were written."""
        storage = Failing(LocalStorage(), [], None)
        monkeypatch.setattr(export_files, "open_storage", lambda *_: storage)
        options = ExportOptions(table="Orders", destination=str(self.folder), state_dir=str(self.root / "state"))
        with open_journal("export", "Orders", ["here"], options) as journal:

            def guard(*_: Any, **__: Any) -> None:
                storage._methods, storage._fails_at = set(STEPS), fails_at

            write_small = LocalStorage.write_small
            monkeypatch.setattr(
                LocalStorage,
                "write_small",
                lambda *args: (self.completes.append(journal.complete), write_small(*args))[1],
            )
            monkeypatch.setattr(spine, "why_incomplete", guard)
            result = spine.tell_story(ExportVerb(options), self._run(options), journal)
            monkeypatch.setattr(LocalStorage, "write_small", write_small)
        return result, storage.calls

    def _run(self, options: ExportOptions) -> Run:
        session = SimpleNamespace(
            keys=lambda: None, region="r", endpoint_url="u", aws=AwsSettings(), data_plane=lambda *_: None
        )
        return Run(
            options=options,
            session=session,  # type: ignore[arg-type]
            table=table({"id": "S"}),
            cap=choose_cap("100", table({"id": "S"}), "RCU", over_provisioned=False),
            workers=1,
            lanes=1,
            progress=QuietProgress(),
            stop=StopFlag(),
            engine=ScriptedEngine(self._events),
        )

    def _events(self, left: Any) -> Events:
        for unit in left.known():
            self.worked += 1
            output = LocalStorage().create(str(self.folder), f"Orders-{unit.segment:04d}-00000.json", 0)
            output.write(b'{"id": "a"}\n')
            file = ExportedFile(unit.segment, output.finish(), 1)
            yield UnitReport(
                unit.number, ExportCursor(None, 1, None, 0, (), 1), Tally(read=1, written=1), files=(file,), done=True
            )
            yield Flushed()


@pytest.fixture
def export(tmp_path: Path) -> Export:
    return Export(tmp_path)


def leave_a_stray(export: Export) -> None:
    export.folder.mkdir(exist_ok=True)
    (export.folder / STRAY).write_text("{}\n")


def names(export: Export) -> set[str]:
    return {path.name for path in export.folder.iterdir() if path.name != STRAY}


def test_an_export_is_complete_only_after_all_else_happened(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = QuietProgress.finish
    monkeypatch.setattr(QuietProgress, "finish", lambda self: (leave_a_stray(export), finish(self))[1])
    result, steps = export.run(monkeypatch, None)
    assert result.error is None
    assert steps == STEPS  # what is not of the export is removed, the place is listed again, the manifest is last
    assert export.completes == [False]
    assert not (export.folder / STRAY).exists()
    assert (export.folder / MANIFEST_NAME).exists()


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_an_export_that_could_not_be_completed_is_completed_by_the_same_command(
    export: Export, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with monkeypatch.context() as patch:
        finish = QuietProgress.finish
        patch.setattr(QuietProgress, "finish", lambda self: (leave_a_stray(export), finish(self))[1])
        result, steps = export.run(patch, step)
    assert steps == STEPS[: step + 1]
    assert isinstance(result.error, TransferError) and result.manifest is None
    files = names(export)
    assert files and MANIFEST_NAME not in files
    worked = export.worked
    again, _ = export.run(monkeypatch, None)
    assert (again.error, again.tally.written) == (None, worked)
    assert export.worked == worked, "what was done is not done again"
    assert {path.name for path in export.folder.iterdir()} == {*files, MANIFEST_NAME}


# --------------------------------------------------------------------------- completing a journal


def completed_journal(tmp_path: Path) -> ExportOptions:
    options = ExportOptions(table="Orders", destination="out", state_dir=str(tmp_path))
    with open_journal("export", "Orders", ["here"], options) as journal:
        journal.begin({}, (), {})
        journal.complete = True
    return options


def test_a_journal_says_that_it_is_complete_before_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies between the two, or cannot remove it, leaves no job that looks unfinished."""

    def fails(folder: Path) -> None:
        raise TransferError("cannot remove it")

    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "remove_journal", fails)
        options = completed_journal(tmp_path)
    with open_journal("export", "Orders", ["here"], options) as journal:
        assert not journal.resumed


def test_a_journal_that_cannot_say_so_is_removed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Any, seconds: float) -> None:
        if self.complete:
            raise TransferError("the disk is full")
        commit(self, seconds)

    commit = journal_module.Journal.commit
    with monkeypatch.context() as patch:
        patch.setattr(journal_module.Journal, "commit", fails)
        options = completed_journal(tmp_path)
    with open_journal("export", "Orders", ["here"], options) as journal:
        assert not journal.resumed


# --------------------------------------------------------------------------- finishing uploads to S3

LINES = [b'{"n": %d}\n' % number for number in range(30)]
ALL = b"".join(LINES)
PAGE = 2
JOB: Any = SimpleNamespace(table="Orders", destination="s3://bkt/out", compress="none", md5=False, max_file_bytes=100)


class FailingS3:
    """A `FakeS3` whose call number `fails_at` is refused, or succeeds and its answer is lost."""

    def __init__(self, real: FakeS3, fails_at: int | None, *, takes_effect: bool) -> None:
        self.real, self.fails_at, self.takes_effect = real, fails_at, takes_effect
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        made = getattr(self.real, name)
        if name not in OPERATIONS:
            return made

        def call(**params: Any) -> Any:
            number, self.calls = self.calls, self.calls + 1
            if number != self.fails_at:
                return made(**params)
            if self.takes_effect:
                made(**params)
            raise client_error("InternalError", OPERATIONS[name])

        return call


class Lane:
    """Exports `LINES` through `LineFiles`, from a cursor on, and notes what it reports."""

    def __init__(self) -> None:
        self.cursor: ExportCursor | None = None
        self.files: list[ExportedFile] = []
        self.objects: list[set[str]] = []  # that were visible when a file was reported

    def run(self, fake: FakeS3) -> None:
        asyncio.run(self._export(fake))

    async def _export(self, fake: FakeS3) -> None:
        files = LineFiles(S3Storage(AwsSettings()), JOB, get_format(JSON), Tally())
        files.begin(SegmentUnit(0, 0, 1, self.cursor))
        await files.open()
        for at in range(self.cursor.items if self.cursor else 0, len(LINES), PAGE):
            await files.write(b"".join(LINES[at : at + PAGE]), PAGE)
            self._report(files, fake, str(at), at + PAGE)
        await files.finish()
        self._report(files, fake, None, len(LINES))

    def _report(self, files: LineFiles, fake: FakeS3, key: str | None, items: int) -> None:
        if files.settled:
            self.cursor = ExportCursor(key, *files.state(), items=items)
        finished = files.take_parts()["files"]
        self.files += finished
        assert {f"out/{each.file.name}" for each in finished} <= fake.objects.keys(), "reported before it is visible"


def calls_of_an_export() -> int:
    with pytest.MonkeyPatch.context() as patch:
        client = serve(patch, FakeS3(), None, takes_effect=True)
        Lane().run(client.real)
        return client.calls


def serve(patch: pytest.MonkeyPatch, fake: FakeS3, fails_at: int | None, *, takes_effect: bool) -> FailingS3:
    client = FailingS3(fake, fails_at, takes_effect=takes_effect)
    patch.setattr(s3_client, "_build", lambda *_: client)
    patch.setattr(s3, "part_bytes_for", lambda _: 40)
    return client


@pytest.mark.parametrize("takes_effect", [False, True])
@pytest.mark.parametrize("step", range(calls_of_an_export()))
def test_an_upload_that_could_not_be_finished_is_finished_by_whoever_continues_it(
    monkeypatch: pytest.MonkeyPatch, step: int, takes_effect: bool
) -> None:
    fake, lane = FakeS3(), Lane()
    with monkeypatch.context() as patch:
        serve(patch, fake, step, takes_effect=takes_effect)
        with pytest.raises(TransferError):
            lane.run(fake)
    serve(monkeypatch, fake, None, takes_effect=False)
    lane.run(fake)
    reported = [(f"out/{each.file.name}", each.file.size_bytes) for each in lane.files]
    assert [name for name, _ in reported] == sorted(fake.objects), "each file is reported once"
    assert [size for _, size in reported] == [len(fake.objects[name]) for name, _ in reported]
    assert b"".join(fake.objects[name] for name in sorted(fake.objects)) == ALL
