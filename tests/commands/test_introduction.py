"""How the first words are put."""

from pathlib import Path

from receiver.commands.introduction import called_as


def test_a_command_is_called_by_its_name_only_where_that_finds_it(tmp_path: Path) -> None:
    """Not on the path, or another program of that name there: by the path that it was started by."""
    ours, others = tmp_path / "our venv" / "receiver", tmp_path / "bin" / "receiver"
    for program in (ours, others):
        program.parent.mkdir()
        program.touch(0o755)
    assert {
        str(ours.parent): "receiver",
        str(others.parent): f"'{ours}'",
        str(tmp_path): f"'{ours}'",
    } == {search: called_as(str(ours), search) for search in (str(ours.parent), str(others.parent), str(tmp_path))}
