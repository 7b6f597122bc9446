"""The README check runs every Python block, and notices what is not as shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import run_readme

if TYPE_CHECKING:
    from pathlib import Path


def result(folder: Path, text: str) -> tuple[int, int]:
    path = folder / "README.md"
    path.write_text(text, encoding="utf-8")
    return run_readme.run_file(path)


def test_blocks_share_their_variables(tmp_path: Path) -> None:
    session = "```pycon\n>>> a + 1\n2\n>>> b = 3\n```\n"
    text = "```python\na = 1\n```\n" + session + "```python\nassert b == 3\n```\n"
    assert result(tmp_path, text) == (3, 0)


def test_a_text_block_that_adjoins_is_the_output(tmp_path: Path) -> None:
    assert result(tmp_path, "```python\nprint(1)\n```\n\n```text\n1\n```\n") == (1, 0)
    assert result(tmp_path, "```python\nprint(1)\n```\n\n```text\n2\n```\n") == (0, 1)
    assert result(tmp_path, "```python\nprint(1)\n```\nElsewhere:\n```text\n2\n```\n") == (1, 0)


def test_three_dots_stand_for_anything(tmp_path: Path) -> None:
    assert result(tmp_path, "```python\nprint('took 31 ms')\n```\n```text\ntook ... ms\n```\n") == (
        1,
        0,
    )


def test_a_wrong_answer_in_a_session_fails(tmp_path: Path) -> None:
    assert result(tmp_path, "```pycon\n>>> 1 + 1\n3\n```\n") == (0, 1)


def test_an_exception_fails_and_names_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert result(tmp_path, "# Title\n\n```python\nx = 1\n1 / 0\n```\n") == (0, 1)
    assert 'README.md", line 5' in capsys.readouterr().err


def test_an_unknown_language_fails(tmp_path: Path) -> None:
    assert result(tmp_path, "```ruby\nputs 1\n```\n```toml\na = 1\n```\n") == (0, 1)


def test_an_open_block_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 1: the block is never closed"):
        result(tmp_path, "```python\nprint(1)\n")


def test_a_document_without_python_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "README.md"
    path.write_text("# Nothing\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["run_readme.py", str(path)])
    assert run_readme.main() == 1
