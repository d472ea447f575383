import re
from pathlib import Path

import pytest

from receiver.diagnosis.diagrams import broadcast_diagram, recording_diagram
from receiver.diagnosis.machines import BROADCAST, BROADCAST_TIMERS, RECORDING, RECORDING_TIMERS

README = Path(__file__).parents[2] / "README.md"
LINE = re.compile(r"    (?P<state>\[\*\]|[a-z]+) --> (?P<after>\[\*\]|[a-z]+)(: (?P<cause>[^:;]+))?")


def test_a_diagram_draws_the_whole_table() -> None:
    """Each pair of states that an arc or a timer joins has its line, and no other has; what ends, ends."""
    for drawn, table, timers, first in (
        (broadcast_diagram(), BROADCAST, BROADCAST_TIMERS, "idle"),
        (recording_diagram(), RECORDING, RECORDING_TIMERS, "recording"),
    ):
        expected = {("[*]", first)}
        expected |= {(state, after) for state, arcs in table.items() for after in arcs.values()}
        expected |= {(state, after) for state, (_, after) in timers.items()}
        expected |= {(state, "[*]") for state, arcs in table.items() if not arcs}
        head, *lines = drawn.splitlines()
        found = [LINE.fullmatch(line) for line in lines]
        assert "stateDiagram-v2" == head
        assert expected == {(match["state"], match["after"]) for match in found if match}
        assert len(expected) == len(found)


def test_a_line_names_what_moves_the_machine() -> None:
    """Causes are named as their sender names them, those of one pair together, and time stands apart."""
    lines = broadcast_diagram().splitlines()
    assert "    idle --> live: stream.started, recording.started" in lines
    assert "    announced --> idle: (time) the attempt has faded" in lines


@pytest.mark.parametrize(("name", "drawn"), [("broadcast", broadcast_diagram()), ("recording", recording_diagram())])
def test_the_readme_shows_the_machines_as_they_are(name: str, drawn: str) -> None:
    """Between its markers the README has the diagram that is drawn from the table."""
    text = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} machine -->\n", "<!-- end -->"
    assert f"```mermaid\n{drawn}\n```\n" == text.partition(begin)[2].partition(end)[0]
