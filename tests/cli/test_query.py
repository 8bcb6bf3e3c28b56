"""`strandline query`: SQL over the lake in four formats."""

from __future__ import annotations

import csv
import io
import json

import duckdb
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.cli.rows import text
from tests.cli.conftest import Project


@pytest.fixture
def served(traded: Project) -> Project:
    """The traded project, batched, merged and published."""
    result = traded.run("run", "all", "--to", traded.ago(0))
    assert result.exit_code == 0, result.output
    return traded


def test_a_table_shows_rows_for_people(served: Project) -> None:
    result = served.run("query", "SELECT id, amount, city FROM unified.orders ORDER BY id")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines() if line.strip().startswith("o")]
    assert rows == [
        ["o1", "10.50", "Kiel"],
        ["o2", "600.00", "Kiel"],
        ["o4", "10.50", "Kiel"],
        ["o5", "10.50", "Bonn"],
        ["o6", "10.50", "NULL"],
    ]
    assert "5 rows" in result.stdout


def test_the_names_that_exist_are_listed_with_their_rows(served: Project) -> None:
    result = served.run("query", "--tables", "--format", "csv")
    rows = {row["table"]: int(row["rows"]) for row in csv.DictReader(io.StringIO(result.stdout))}
    assert rows["realtime.orders"] == rows["bronze.orders"] == 8
    assert rows["unified.orders"] == rows["silver.orders"] == 5
    assert rows["quarantine.orders"] == 2
    assert rows["gold.orders__hourly"] == rows["analytics.orders__hourly"] == 3
    assert rows["ledger"] == 1
    shown = served.run("query", "--tables")
    assert "unified.orders" in shown.stdout


@pytest.mark.parametrize("table", ["unified.orders", "silver.orders", "realtime.orders", "analytics.orders__hourly"])
def test_rows_are_chosen_by_time(served: Project, table: str) -> None:
    moment = {"realtime.orders": "_landing_start", "analytics.orders__hourly": "window_start"}.get(table, '"at"')
    every = json.loads(served.run("query", f"SELECT {moment} AS m FROM {table} ORDER BY 1", "-f", "json").stdout)
    middle = every[len(every) // 2]["m"].removesuffix("Z")
    later = served.run("query", f"SELECT {moment} AS m FROM {table} WHERE {moment} >= '{middle}' ORDER BY 1", "-f", "json")
    assert later.exit_code == 0, later.output
    assert json.loads(later.stdout) == [row for row in every if row["m"].removesuffix("Z") >= middle]


def test_csv_tells_null_from_an_empty_text_and_quotes_what_needs_it(served: Project) -> None:
    sql = "SELECT NULL AS a, '' AS b, 'x,\"y\"' AS c, TIMESTAMP '2026-01-02 03:04:05.5' AS d, 1.50::DECIMAL(9,2) AS e"
    result = served.run("query", sql, "--format", "csv")
    assert result.stdout == 'a,b,c,d,e\n,"","x,""y""",2026-01-02T03:04:05.500000Z,1.50\n'


def test_json_keeps_every_digit(served: Project) -> None:
    sql = "SELECT 12345678901234567890.12::DECIMAL(38,2) AS n, NULL AS x, 'nan'::DOUBLE AS y, [1, NULL] AS l, true AS t"
    result = served.run("query", sql, "--format", "json")
    assert '"n": 12345678901234567890.12' in result.stdout
    assert json.loads(result.stdout)[0] | {"n": 0} == {"n": 0, "x": None, "y": None, "l": [1, None], "t": True}


def test_json_of_no_rows_is_an_empty_list(served: Project) -> None:
    assert json.loads(served.run("query", "FROM unified.orders WHERE id = 'none'", "-f", "json").stdout) == []


def test_parquet_goes_to_a_file_and_knows_that_times_are_utc(served: Project) -> None:
    file = served.folder / "orders.parquet"
    assert served.run("query", 'SELECT id, "at", amount FROM unified.orders', "--output", str(file)).exit_code == 0
    found = polars.read_parquet(file)
    assert found.schema["at"] == polars.Datetime("us", "UTC")
    assert sorted(found["id"]) == ["o1", "o2", "o4", "o5", "o6"]
    assert [path.name for path in served.folder.glob(".*")] == []


def test_a_file_that_cannot_be_written_is_told(served: Project) -> None:
    result = served.run("query", "SELECT 1", "--output", str(served.folder / "nowhere/x.csv"))
    assert result.exit_code == 1
    assert "cannot write" in result.stderr


def test_the_query_may_come_from_stdin(served: Project) -> None:
    result = served.run("query", "-", "--format", "csv", given="SELECT count(*) AS n\nFROM unified.orders;\n")
    assert result.stdout == "n\n5\n"


def test_a_table_is_cut_and_says_so(served: Project) -> None:
    result = served.run("query", "SELECT range AS i FROM range(250)")
    assert "100 rows of 250" in result.stdout
    assert "250 rows" in served.run("query", "SELECT range AS i FROM range(250)", "--limit", "0").stdout
    assert len(served.run("query", "SELECT range AS i FROM range(250)", "-f", "csv").stdout.splitlines()) == 251
    assert len(served.run("query", "SELECT range AS i FROM range(250)", "-f", "csv", "-n", "7").stdout.splitlines()) == 8


def test_a_table_too_wide_for_the_terminal_is_shown_a_line_a_column() -> None:
    import pyarrow as pa
    from rich.console import Console

    from strandline.cli.rows import as_records, fits

    rows = pa.table({f"column_{number}": [number, None] for number in range(20)})
    assert not fits(rows, 120)
    assert fits(rows.select(["column_1"]), 120)
    console = Console(width=120)
    with console.capture() as captured:
        console.print(as_records(rows))
    lines = [line.split() for line in captured.get().splitlines() if line.strip().startswith("column_")]
    assert lines[7] == ["column_7", "7"]
    assert lines[27] == ["column_7", "NULL"]


def test_refused_bytes_do_not_reach_the_terminal_as_they_are(project: Project) -> None:
    (project.folder / "inbox/1.ndjson").write_bytes(b"\x1b[2J evil\n\xff\xfe\n")
    project.run("run", "all", "--from", project.ago(1), "--to", project.ago(0))
    result = project.run("query", "SELECT _raw FROM quarantine.orders ORDER BY _line")
    assert "\x1b[2J" not in result.stdout
    assert "\\x1b[2J evil" in result.stdout
    assert "\\xff\\xfe" in result.stdout


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("FROM unified.order", "did you mean unified.orders?"),
        ("SELECT nothing FROM unified.orders", "nothing"),
        ("SELEC 1", "cannot be read"),
        ("DROP TABLE x", "read-only"),
        ("SELECT 1; SELECT 2", "one query"),
        ("FROM read_csv('/etc/passwd')", "disabled"),
        ("FROM bronze.orders__hourly", "there is no table"),
    ],
)
def test_a_query_that_cannot_be_answered_is_a_usage_error(served: Project, sql: str, said: str) -> None:
    result = served.run("query", sql)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("given", [[], ["SELECT 1", "--tables"]])
def test_it_is_either_a_query_or_the_list(project: Project, given: list[str]) -> None:
    assert project.run("query", *given).exit_code == 2


def test_a_table_that_nothing_was_written_to_is_said_to_be_empty(traded: Project) -> None:
    result = traded.run("query", "FROM unified.orders")
    assert result.exit_code == 2
    assert "is empty" in result.stderr


def test_a_broken_stream_leaves_the_others_to_be_asked(served: Project) -> None:
    served.declare("visits", "stream: visits\n")
    result = served.run("query", "SELECT count(*) AS n FROM unified.orders", "-f", "csv")
    assert result.stdout == "n\n5\n"
    assert "warning: visits is left out" in result.stderr


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) AS n FROM unified.orders JOIN silver.orders USING (id)",
        'SELECT count(*) AS n FROM unified.orders AS u ASOF JOIN silver.orders AS s USING (id, "at")',
        "SELECT count(*) AS n FROM (SELECT id FROM unified.orders) NATURAL JOIN (SELECT id FROM silver.orders);",
        "WITH ledger AS (FROM unified.orders) SELECT count(*) AS n FROM ledger",
        "SELECT count(*) AS n FROM unified.orders WHERE id IN (FROM silver.orders SELECT id)",
        "SELECT count(*) AS n FROM unified.orders POSITIONAL JOIN silver.orders",
    ],
)
def test_tables_are_found_wherever_a_query_names_them(served: Project, sql: str) -> None:
    result = served.run("query", sql, "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == [{"n": 5}]


@pytest.mark.parametrize("sql", ["SHOW TABLES", " show all tables;\n"])
def test_who_asks_for_the_tables_in_sql_is_told(served: Project, sql: str) -> None:
    assert served.run("query", sql).stdout == served.run("query", "--tables").stdout


def test_a_stream_without_its_layer_is_told_where_it_is(served: Project) -> None:
    result = served.run("query", "FROM orders")
    assert result.exit_code == 2
    assert "there is no table orders; did you mean unified.orders?" in result.stderr


@given(
    months=st.integers(-300, 300),
    days=st.integers(-400, 400),
    micros=st.integers(-(10**12), 10**12),
)
def test_an_interval_is_shown_as_sql_reads_it(months: int, days: int, micros: int) -> None:
    sql = f"INTERVAL ({months}) MONTH + INTERVAL ({days}) DAY + INTERVAL ({micros}) MICROSECOND"
    with duckdb.connect() as connection:
        shown = text(connection.sql(f"SELECT {sql} AS i").to_arrow_table()["i"][0].as_py())
        [(same,)] = connection.execute(f"SELECT INTERVAL '{shown}' = {sql}").fetchall()
    assert same, shown


def test_a_result_is_read_only_as_far_as_it_is_shown(served: Project) -> None:
    endless = "SELECT i AS n FROM range(1_000_000_000_000) AS r(i)"
    assert served.run("query", endless, "-f", "csv", "-n", "3").stdout == "n\n0\n1\n2\n"
    assert json.loads(served.run("query", endless, "-f", "json", "-n", "40000").stdout)[-1] == {"n": 39_999}
    assert "100 rows of more than 100,000 (--limit 0 for all)" in served.run("query", endless).stdout
    file = served.folder / "n.parquet"
    assert served.run("query", endless, "-n", "100000", "-o", str(file)).exit_code == 0
    assert polars.read_parquet(file)["n"].to_list() == list(range(100_000))


def test_a_query_that_fails_on_the_way_leaves_no_file(served: Project) -> None:
    sql = "SELECT CAST(CASE WHEN i = 90000 THEN 'x' ELSE '1' END AS INT) AS n FROM range(100000) AS r(i)"
    for ending in ("csv", "json", "parquet"):
        result = served.run("query", sql, "--output", str(served.folder / f"n.{ending}"))
        assert result.exit_code == 2
        assert "Could not convert string 'x'" in result.stderr
    assert not list(served.folder.glob("*n.*"))


def test_a_type_that_parquet_does_not_have_is_a_usage_error(served: Project) -> None:
    file = served.folder / "i.parquet"
    result = served.run("query", "SELECT INTERVAL 1 DAY AS i", "--output", str(file))
    assert result.exit_code == 2
    assert "cast the column" in result.stderr
    assert not file.exists()


def test_a_table_may_have_another_name_in_the_query(served: Project) -> None:
    sql = "SELECT count(DISTINCT a.id) AS n FROM unified.orders AS a JOIN unified.orders AS b ON a.id = b.id"
    assert served.run("query", sql, "-f", "csv").stdout == "n\n5\n"
    assert "did you mean unified.orders?" in served.run("query", "FROM unified.ordres AS o").stderr
