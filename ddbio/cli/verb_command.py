"""A verb as a command: argv to options, then `--plan` to the verb's plan, or a run and its summary."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from ddbio.cli.display import Display
from ddbio.cli.engine_option import chosen_engine, planned_engine
from ddbio.cli.parsing import Parser, settings_in_force, words_in_force
from ddbio.cli.run import Command, run
from ddbio.options import TransferOptions
from ddbio.system.signals import signals_held
from ddbio.system.terminal import tell

if TYPE_CHECKING:
    from ddbio.job.accounts import Result
    from ddbio.job.spine import Story

SomeOptions = TypeVar("SomeOptions", bound=TransferOptions)
SomeResult = TypeVar("SomeResult", bound="Result")


def _no_data(options: TransferOptions) -> bool:
    return False


@dataclass(frozen=True)
class VerbCommand(Generic[SomeOptions, SomeResult]):
    """program: its name, if it cannot be known from how it was called.

    parser, options: make the parser, and the options from its arguments. Raise UsageError.
    load: imports the verb's module and returns its class; called while signals are held.
    summary: the last lines of the output. data_on_stdout: whether a run writes its data there.
    ready: called before a run, with the story and the arguments, to ask the user. Raises UsageError, Stopped.
    """

    program: str
    parser: Callable[[], Parser]
    options: Callable[[argparse.Namespace], SomeOptions]
    load: Callable[[], Callable[[SomeOptions], Story[SomeResult]]]
    summary: Callable[[SomeResult], str]
    data_on_stdout: Callable[[SomeOptions], bool] = _no_data
    ready: Callable[[Story[SomeResult], argparse.Namespace], None] = lambda story, given: None

    def options_of(self, argv: Sequence[str] | None = None) -> SomeOptions:
        return self.options(self.parser().parse(argv))

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Returns the exit code."""
        return run(self.program, lambda command: self._perform(command, argv))

    def _perform(self, command: Command, argv: Sequence[str] | None) -> int:
        given = self.parser().parse(argv)
        command.settings = settings_in_force(given)
        options = self.options(given)
        command.state_dir = options.state_dir
        with signals_held():
            from ddbio.cli.running import perform, sentences_on, show_plan
            from ddbio.job.invocation import invoked

            story = self.load()(options)
        invoked(self.program, words_in_force(given))
        if given.plan:
            engine = planned_engine(given)
            return show_plan(story, options.aws, command.settings, engine, prices=given.prices, as_json=given.json)
        if "yes" in given:  # the verb asks first: who answers must know the filter, say, that a variable set
            for sentence in sentences_on(command.settings):
                tell(sentence)
        self.ready(story, given)
        display, on_stdout = Display.of(given, options), self.data_on_stdout(options)
        with chosen_engine(given) as chosen:
            return perform(command, story, self.summary, options, display, data_on_stdout=on_stdout, chosen=chosen)
