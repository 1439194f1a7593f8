"""Command lines of Markdown pages, read as the program would read them, without running anything."""

from __future__ import annotations

import argparse
import functools
import re
import shlex
from collections.abc import Iterator
from typing import Any
from unittest import mock

import typer

from pipelines import main as program
from pipelines.cli import app

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`]+)`")


UsageError: Any = typer.BadParameter.__base__  # of click, or of the copy inside typer


class UnknownWordsError(Exception):
    """A command or an option that does not exist."""


def blocks(page: str, *languages: str) -> list[str]:
    """Fenced blocks of a page in one of the languages."""
    return [body for language, body in FENCE.findall(page) if language in languages]


def typed(page: str) -> Iterator[list[str]]:
    """Words of every ``intentrec`` command line in a page's shell blocks, without ``intentrec`` itself."""
    for block in blocks(page, "console", "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
            lexer.whitespace_split = True
            words = list(lexer)
            while "intentrec" in words:
                words = words[words.index("intentrec") + 1 :]
                end = next((n for n, word in enumerate(words) if set(word) <= set("|&;>")), len(words))
                yield words[:end]
                words = words[end:]


def mentioned(page: str) -> Iterator[list[str]]:
    """Words of every ``intentrec ...`` in running text, which may leave out what a command needs."""
    for code in INLINE.findall(FENCE.sub("", page)):
        words = code.split()
        if words[0] == "intentrec":
            yield words[1:]


def check(words: list[str]) -> None:
    """Read a whole command line.

    Raises:
        UnknownWordsError: the program would refuse it.
    """
    command, rest = _command(words)
    if isinstance(command, argparse.ArgumentParser):
        try:
            command.parse_args(rest)
        except SystemExit:
            raise UnknownWordsError(" ".join(words)) from None
        return
    try:
        context = command.make_context(words[0], list(rest))
    except UsageError as error:
        raise UnknownWordsError(f"{' '.join(words)}: {error.message}") from None
    if context.args and not context.allow_extra_args:
        raise UnknownWordsError(f"{' '.join(words)}: {context.args}")


def check_options(words: list[str]) -> None:
    """Only ask whether the command and its options exist.

    Raises:
        UnknownWordsError: they do not.
    """
    command, rest = _command(words)
    known = options_of(command) | {"--help"}
    unknown = [word for word in rest if word.startswith("--") and word not in known]
    if unknown:
        raise UnknownWordsError(f"{' '.join(words)}: {unknown}")


def options_of(command: Any) -> set[str]:
    """Every long option of a command."""
    if isinstance(command, argparse.ArgumentParser):
        return set(re.findall(r"--[\w-]+", command.format_help()))
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def all_options() -> set[str]:
    """Long options of all commands."""
    return set().union(*(options_of(command) for command in _commands(_root(), ())))


@functools.cache
def _root() -> Any:
    return typer.main.get_command(app)


def _commands(command: Any, names: tuple[str, ...]) -> Iterator[Any]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _commands(inner, (*names, name))
    else:
        yield _command(list(names))[0]


def _command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that a line names, an argparse parser where the base install reads it, and the words after it."""
    if words and words[0] in (*program.CLIENT_COMMANDS, "history", "web", "doctor"):
        return _argparse(words[0]), words[1:]
    command = _root()
    rest = list(words)
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            raise UnknownWordsError(f"{' '.join(words)}: no command {name}")
        command = command.commands[name]
    return command, rest


class _Found(BaseException):
    """Carries a parser out of the program."""


def _argparse(name: str) -> argparse.ArgumentParser:
    def found(parser: argparse.ArgumentParser, *_: Any) -> None:
        raise _Found(parser)

    with mock.patch.object(argparse.ArgumentParser, "parse_args", found):
        try:
            program.main([name])
        except _Found as stop:
            return stop.args[0]
    raise AssertionError(f"{name} reads its command line in another way")
