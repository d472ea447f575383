"""The soak in short: whole lives of streams while the service is killed again and again. The long form is
`benchmarks/soak.py`."""

from pathlib import Path

from tests.soak.houses import SqliteHouse
from tests.soak.soaking import Plan, Soak


async def test_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    """P1, P4, P7: killed again and again while many streams live, the service loses nothing that it acknowledged,
    counts nothing twice, tells of each transition under one id, and concludes what a calm run concludes."""
    plan = Plan(lasts_s=4, kill_every_s=0.4, replicas=1, lives=50, least_kills=3)
    soak = Soak(plan, SqliteHouse(tmp_path), tmp_path)
    assert [] == await soak.run()
    assert soak.ledger.statuses[0] > 0
