"""What was concluded of a subject and no longer reads. Nothing of ours writes such, but a disk or a hand may."""

from typing import Final

from receiver.diagnoser.records import Record, failing_of, text_of

NOTHING_SAID: Final = text_of(())
"""The conditions of a subject of which nothing is said until it can be judged."""


class Spoiled(ValueError):
    """The conditions that a subject was last found to have cannot be read."""


def may_have_failed(record: Record) -> bool:
    """Whether a condition was last found to be true of the subject, or nothing is known of that. Raises ValueError
    where what was said of it cannot be read; where nothing is true, only the ends of it are looked at."""
    text = record["conditions"]
    if text == NOTHING_SAID:
        return True
    if not (isinstance(text, str) and text.startswith('[{"type":"') and text.endswith("}]")):
        raise Spoiled("what was last said of this subject is no list of conditions")
    return bool(failing_of(record))


def is_spoiled(record: Record) -> bool:
    """Whether what was last said of the subject cannot be read."""
    try:
        may_have_failed(record)
    except ValueError:
        return True
    return False
