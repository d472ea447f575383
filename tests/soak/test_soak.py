"""The soak in short: whole lives of streams while the service is killed again and again. The long form is
`benchmarks/soak.py`."""

from pathlib import Path

from tests.postgres import Postgres
from tests.soak.houses import PostgresHouse, SqliteHouse
from tests.soak.soaking import Plan, Soak


async def test_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    """P1, P4, P7: killed again and again while many streams live, the service loses nothing that it acknowledged,
    counts nothing twice, tells of each transition under one id, and concludes what a calm run concludes."""
    plan = Plan(lasts_s=4, kill_every_s=0.4, replicas=1, lives=40, least_kills=3)
    soak = Soak(plan, SqliteHouse(tmp_path), tmp_path)
    assert [] == await soak.run()
    assert soak.ledger.statuses[0] > 0


async def test_kills_and_restarts_under_two_replicas_lose_nothing_and_double_nothing(
    tmp_path: Path, postgres_server: Postgres
) -> None:
    """P1, P4, P6, P7: nor do two replicas on one PostgreSQL server, which is stopped without a checkpoint meanwhile."""
    plan = Plan(lasts_s=4, kill_every_s=0.8, replicas=2, lives=40, least_kills=2)
    house = PostgresHouse(postgres_server, restart_every_s=2.5, most=1)
    try:
        soak = Soak(plan, house, tmp_path)
        assert [] == await soak.run()
    finally:
        house.drop()
    assert soak.ledger.statuses[0] > 0
    assert house.restarts > 0
