"""The yardstick's engines: PostgreSQL alone takes the rows that Baton would store, in the same tables."""

import tempfile
from pathlib import Path

import psycopg

from collector.bench.engines import engine_processes, open_bare
from collector.bench.server import scratch_folder
from collector.bench.yardstick import YardstickSpec, measure
from storage.postgres.local import LocalServer
from tests.contract.items import batch, log, span
from tests.postgres import install


def test_postgres_alone_takes_ready_rows() -> None:
    install()
    with scratch_folder(Path(tempfile.gettempdir())) as folder:
        engine = open_bare("postgres", folder)
        try:
            assert engine.processes == engine_processes(folder)
            assert len(engine.processes) == 1
            insert = engine.ready(batch([span(), span()], [log()]))
            with psycopg.connect(LocalServer(folder / "pg").dsn, options="-c search_path=baton") as connection:
                assert connection.execute("SELECT count(*) FROM spans").fetchone() == (0,)
                insert()
                assert connection.execute("SELECT count(*) FROM spans").fetchone() == (2,)
                assert connection.execute("SELECT count(*) FROM logs").fetchone() == (1,)
        finally:
            engine.close()
        assert engine_processes(folder) == []


def test_the_yardstick_measures_postgres() -> None:
    install()
    with scratch_folder(Path(tempfile.gettempdir())) as folder:
        rate = measure(YardstickSpec(str(folder), engine="postgres", rows=1024, rows_per_insert=512))
    assert rate.rows_per_insert == 512
    assert rate.rows_per_second > 0
