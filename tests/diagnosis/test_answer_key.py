"""The answer key, row by row: exactly these signals bring this answer, and those that refute it do not."""

from collections import Counter

import pytest

from receiver.diagnosis.catalogue import reason_entry
from tests.diagnosis.answer_key import DOCUMENT, GROUPS, ROWS, Row, document, table

NAMES = [f"{GROUPS[row.group]}: {row.cause}" for row in ROWS]


def test_every_cause_has_its_row() -> None:
    """FACTS 10 lists 58 of them, under five symptoms."""
    assert {1: 10, 2: 10, 3: 11, 4: 12, 5: 15} == Counter(row.group for row in ROWS)
    assert len(set(NAMES)) == 58


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_the_supporting_signals_bring_the_answer(row: Row) -> None:
    """Condition, status, reason, certainty; and what to do, where something is wrong."""
    found = row.given()
    assert (row.condition, row.status, row.reason, row.certainty) == (
        found.type, found.status, found.reason, found.certainty,
    )  # fmt: skip
    assert found.evidence or found.status != "true" or row.reason == "DeliveriesDelayed"
    step = reason_entry(row.condition, row.reason).next_step
    assert found.status != "true" or step.partition("SESSION-ID")[0] in found.message


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_the_refuting_signals_do_not(row: Row) -> None:
    """What speaks against a cause keeps us from naming it."""
    other = row.otherwise()
    assert row.condition == other.type
    assert (row.status, row.reason) != (other.status, other.reason)


def test_the_documentation_has_the_same_rows() -> None:
    """`docs/answer-key.md` is made of them."""
    assert document() == DOCUMENT.read_text("utf-8")


def test_the_table_of_passes_is_printed_whole() -> None:
    """`python -m tests.diagnosis.answer_key`."""
    assert table().splitlines()[-1] == "58 of 58 pass."
