"""What a soak did and what it found, as a table and as data."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from tests.soak.conclusions import premature
from tests.soak.receipts import attempts_that_count
from tests.soak.soaking import PROMISES, Soak
from tests.soak.stored import Stored
from tests.soak.violations import Violation, counted

SHOWN: Final = 20
"""How many violations are told in full."""


def report(soak: Soak, found: Sequence[Violation]) -> dict[str, Any]:
    """All figures, by section; violations in full up to `SHOWN`."""
    plan = soak.plan
    return {
        "plan": {
            "database": soak.house.name,
            "seconds": plan.lasts_s,
            "replicas": plan.replicas,
            "killed on average every (s)": plan.kill_every_s,
            "seed": plan.seed,
        },
        "disturbed": {
            "kill -9": soak.kills,
            "processes": sum(len(replica.processes) for replica in soak.replicas),
            "restarts of the database": soak.house.restarts,
        },
        "sent": _sent(soak),
        "stored": _stored(soak),
        "violations": counted(found, PROMISES),
        "first violations": [f"{one.promise}: {one.what}" for one in found[:SHOWN]],
    }


def table(figures: dict[str, Any]) -> str:
    """The same as lines of text."""
    lines: list[str] = []
    for section, values in figures.items():
        if isinstance(values, dict):
            lines += ["", section.upper(), *(f"  {name:<34}{value}" for name, value in values.items())]
        elif values:
            lines += ["", section.upper(), *(f"  {value}" for value in values)]
    return "\n".join(lines).strip()


def _sent(soak: Soak) -> dict[str, Any]:
    ledger = soak.ledger
    answers = {
        f"answered {status}" if status else "without an answer": n for status, n in sorted(ledger.statuses.items())
    }
    return {
        "streams": len(soak.told),
        "events": len(ledger.events),
        "reports": len(ledger.reports),
        "attempts": ledger.attempts,
        "most attempts at one": ledger.most_attempts,
        **answers,
    }


def _stored(soak: Soak) -> dict[str, Any]:
    stored = Stored.read(soak.house.url)
    statuses = Counter(row["status"] for row in stored.diagnoses)
    told = len({id(entry) for entry, _ in attempts_that_count(soak.ledger, stored)})
    return {
        "events, each once": told,
        "repeated deliveries": sum(row["verdict"] == "duplicate" for row in stored.deliveries),
        "diagnoses": len(stored.diagnoses),
        "diagnoses of what came after all": premature(soak.told, stored),
        **{f"diagnoses {status}": n for status, n in sorted(statuses.items())},
        "transitions": len(stored.transitions),
        "notices": len(stored.notices),
        "intervals of coverage": len(stored.coverage),
    }
