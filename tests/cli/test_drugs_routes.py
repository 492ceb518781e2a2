"""``xinglin drugs routes`` and the recipe of its templates."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.apps.drugs.uspto import some, table
from xinglin.cli.drugs_routes import register, templates
from xinglin.errors import InvalidInputError, MissingDataError, XinglinError
from xinglin.ledger import entries
from xinglin.store import open_store

AMIDE = "COc1ccc(cc1)C(=O)NCc1ccccc1"
FENTANYL = "CCC(=O)N(C1CCN(CCc2ccccc2)CC1)c1ccccc1"


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    made.command("templates")(templates)
    return made


@pytest.fixture(scope="module")
def model(app: typer.Typer, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli-retro")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XINGLIN_HOME", str(folder / "home"))
        reactions = table(folder / "r.csv", some(data, 60))
        told = CliRunner().invoke(
            app, ["templates", "--data", str(reactions), "--out", str(folder / "model")]
        )
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout.splitlines()[-2])["precedents"] >= 55
    return folder / "model"


def inputs(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text(f"row_id,product\nR1,{AMIDE}\nR2,C(\nR3,{FENTANYL}\n", encoding="utf-8")
    return path


def test_single_steps_are_ranked_rows_and_problems_are_named(
    app: typer.Typer, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    arguments = [
        "routes",
        "--inputs",
        str(inputs(tmp_path)),
        "--out",
        str(out),
        "--top",
        "5",
        "--model",
        str(model),
    ]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 0, told.output
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["row_id", "rank", "reactants", "template", "score"]
    assert {row["row_id"] for row in rows} == {"R1"}
    assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, len(rows) + 1)]
    assert "R2: expected" in told.output
    assert "R3: 结构属管制范围" in told.output
    assert FENTANYL not in told.output
    with open_store().read() as connection:
        kept = {entry.action: entry.detail for entry in entries(connection)}
    assert kept["drugs.steps"]["products"] == 3
    assert kept["drugs.refuse"]["categories"]["narcotic"] >= 1


def test_whole_routes_end_in_the_laboratory_s_own_stock(
    app: typer.Typer, model: Path, tmp_path: Path
) -> None:
    stock = tmp_path / "stock.csv"
    stock.write_text(
        "smiles,price\nCOc1ccc(cc1)C(=O)O,2.5\nCOc1ccc(cc1)C(=O)Cl,4\nNCc1ccccc1,1.5\nBAD(,1\n",
        encoding="utf-8",
    )
    out = tmp_path / "routes"
    arguments = [
        "routes",
        "--routes",
        "--inputs",
        str(inputs(tmp_path)),
        "--out",
        str(out),
        "--model",
        str(model),
    ]
    told = CliRunner().invoke(app, [*arguments, "--stock", str(stock), "--depth", "2", "--expansions", "20"])
    assert told.exit_code == 0, told.output
    found = json.loads((out / "routes.json").read_text(encoding="utf-8"))
    assert [one["row_id"] for one in found] == ["R1"]
    best = found[0]["routes"][0]
    assert best["steps"] == 1
    assert sorted(best["buy"])[-1] == "NCc1ccccc1"
    html = (out / "routes.html").read_text(encoding="utf-8")
    assert "合成路线" in html
    assert "不是医疗器械" in html
    assert "<svg" in html
    assert "原料价 price" in html
    nothing = CliRunner().invoke(
        app, [*arguments[:4], *arguments[4:], "--stock", str(_one(tmp_path)), "--expansions", "3"]
    )
    assert nothing.exit_code == 0, nothing.output
    html = (out / "routes.html").read_text(encoding="utf-8")
    assert "未找到路线" in html
    assert "SA 得分" in html


def _one(tmp_path: Path) -> Path:
    path = tmp_path / "one.csv"
    path.write_text("smiles\nCCCCCCCCCC\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (["--engine", "magic"], InvalidInputError),
        (["--engine", "aizynthfinder"], InvalidInputError),
        (["--routes", "--engine", "aizynthfinder", "--config", "absent.yml"], MissingDataError),
        (["--routes", "--stock", "absent.csv"], MissingDataError),
    ],
)
def test_wrong_options_say_what_to_do(
    app: typer.Typer, model: Path, tmp_path: Path, more: list[str], error: type[XinglinError]
) -> None:
    arguments = [
        "routes",
        "--inputs",
        str(inputs(tmp_path)),
        "--out",
        str(tmp_path / "o"),
        "--model",
        str(model),
    ]
    told = CliRunner().invoke(app, [*arguments, *more])
    assert isinstance(told.exception, error)
