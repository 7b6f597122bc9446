"""Runs the Python of a Markdown file, and compares what it prints with what the file shows.

The `python` and `pycon` blocks of a file are one program: they run in order, with one set of
variables, in an empty folder. A `text` block right after a `python` block (nothing but blank lines
between) is what that block prints; in it and in `pycon` blocks, `...` stands for anything.
Invariant: a block that is neither run nor in a language that is only shown is an error.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# Blocks in other languages are shown, not run (xtask looks at the shell's lines).
SHOWN = frozenset({"", "text", "console", "sh", "bash", "toml", "rust", "json", "mermaid"})


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the line of its first line of code, and its code."""

    language: str
    line: int
    code: str
    # Whether only blank lines stand between the block before and this one.
    adjoins: bool


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a Markdown text."""
    found: list[Block] = []
    language: str | None = None
    start = 0
    code: list[str] = []
    adjoins = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):
            if language is None:
                language, start, code = line[3:].strip(), number + 1, []
            else:
                found.append(Block(language, start, "\n".join(code) + "\n", adjoins))
                language, adjoins = None, True
        elif language is not None:
            code.append(line)
        elif line.strip():
            adjoins = False
    if language is not None:
        raise ValueError(f"line {start - 1}: the block is never closed")
    return found


def run_python(block: Block, expected: str | None, name: str, variables: dict[str, Any]) -> bool:
    """Runs a `python` block; whether it printed what it should."""
    # The traceback names the line in the document.
    source = "\n" * (block.line - 1) + block.code
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(source, name, "exec"), variables)  # noqa: S102 the repository's own code
    except Exception:  # noqa: BLE001 whatever it raises is the finding
        traceback.print_exc()
        return False
    if expected is None or doctest.OutputChecker().check_output(
        expected, printed.getvalue(), FLAGS
    ):
        return True
    sys.stderr.write(f"{name}:{block.line}: shown:\n{expected}printed:\n{printed.getvalue()}")
    return False


def run_session(block: Block, name: str, variables: dict[str, Any]) -> bool:
    """Replays a `pycon` block; whether each answer was as shown."""
    parser = doctest.DocTestParser()
    test = parser.get_doctest(block.code, variables, name, name, block.line - 1)
    # A doctest works on a copy of the variables: the names it makes are handed on.
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    result = runner.run(test, out=sys.stderr.write, clear_globs=False)
    variables.update(test.globs)
    return result.failed == 0


def run_file(path: Path) -> tuple[int, int]:
    """Runs the blocks of one file; how many passed and failed."""
    name = str(path)
    variables: dict[str, Any] = {"__name__": "__main__"}
    passed = failed = 0
    found = blocks(path.read_text(encoding="utf-8"))
    for index, block in enumerate(found):
        following = found[index + 1] if index + 1 < len(found) else None
        if block.language == "python":
            is_shown = following and following.adjoins and following.language == "text"
            expected = following.code if following and is_shown else None
            succeeded = run_python(block, expected, name, variables)
        elif block.language == "pycon":
            succeeded = run_session(block, name, variables)
        elif block.language in SHOWN:
            continue
        else:
            sys.stderr.write(f"{name}:{block.line}: a block of `{block.language}` is not run\n")
            succeeded = False
        passed += succeeded
        failed += not succeeded
    return passed, failed


def main() -> int:
    """Runs the files that the command line names."""
    if len(sys.argv) == 1:
        sys.stderr.write("usage: run_readme.py FILE...\n")
        return 2
    passed = failed = 0
    start = Path.cwd()
    for name in sys.argv[1:]:
        path = Path(name).resolve()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                file_passed, file_failed = run_file(path)
            finally:
                os.chdir(start)
        passed, failed = passed + file_passed, failed + file_failed
        if file_passed + file_failed == 0:
            sys.stderr.write(f"{name}: no Python block\n")
            failed += 1
    sys.stdout.write(f"blocks: {passed} passed, {failed} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
