"""Tables of assay results as laboratories write them: units, bounds, repeats, and rows that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("rdkit")

from xinglin.apps.drugs.assay_table import AssayOptions, AssayTable, read_assay
from xinglin.errors import InvalidInputError, MissingDataError

ASPIRIN, CAFFEINE = "CC(=O)Oc1ccccc1C(=O)O", "Cn1c(=O)c2c(ncn2C)n(C)c1=O"


def _read(tmp_path: Path, text: str, **options: object) -> AssayTable:
    path = tmp_path / "results.csv"
    path.write_text(text, encoding="utf-8")
    return read_assay(path, AssayOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "cell", "value", "side"),
    [
        ("IC50 (nM)", "100", 7.0, 0),
        ("IC50_uM", "0.1", 7.0, 0),
        ("Ki [µM]", "0.1", 7.0, 0),
        ("IC50 (nM)", "0.1 uM", 7.0, 0),
        ("IC50 (nM)", ">10000", 5.0, -1),
        ("IC50 (nM)", ">10,000", 5.0, -1),
        ("IC50 (nM)", "≥ 1e4", 5.0, -1),
        ("Kd (nM)", "<0.1", 10.0, 1),
        ("pIC50", "7", 7.0, 0),
        ("pKi", "<5", 5.0, -1),
        ("抑制率 (%)", "83.5", 83.5, 0),
        ("inhibition %", ">95", 95.0, 1),
    ],
)
def test_units_and_bounds(tmp_path: Path, header: str, cell: str, value: float, side: int) -> None:
    table = _read(tmp_path, f'smiles,{header}\n{ASPIRIN},"{cell}"\n')
    assert table.problems == {}
    (one,) = table.measured
    assert (one.value, one.side) == (pytest.approx(value), side)


def test_a_column_of_units_converts_each_row(tmp_path: Path) -> None:
    table = _read(tmp_path, f"smiles,value,unit\n{ASPIRIN},1,uM\n{CAFFEINE},1,nM\nCCO,1,furlong\n")
    assert [one.value for one in table.measured] == [6.0, 9.0]
    assert table.problems == {"line 4": "unit: expected M, mM, uM, nM, pM, p, % or none, got 'furlong'"}


def test_lower_is_better_turns_values_and_bounds(tmp_path: Path) -> None:
    table = _read(tmp_path, f"smiles,value\n{ASPIRIN},3\n{CAFFEINE},>5\n", unit="none", lower_is_better=True)
    assert table.sign == -1
    assert [(one.value, one.side) for one in table.measured] == [(-3.0, 0), (-5.0, -1)]


def test_repeats_are_one_however_written_and_their_mean_is_geometric(tmp_path: Path) -> None:
    other = "OC(=O)c1ccccc1OC(C)=O.[Na+].[Cl-]"
    table = _read(tmp_path, f"smiles,IC50 (nM)\n{ASPIRIN},100\n{other},1000\n")
    (one,) = table.measured
    assert one.value == pytest.approx(6.5)
    assert (one.repeats, one.places) == (2, ("line 2", "line 3"))
    assert table.disagreements == ()
    assert table.changed["line 3"]


@pytest.mark.parametrize(
    ("cells", "value", "side", "reason"),
    [
        (("10", "1000"), 7.0, 0, "repeats from 6.00 to 8.00"),
        (("10", ">10000"), 8.0, 0, "mean 8.00, but a repeat says below 5.00"),
        ((">10000", ">30000"), 4.523, -1, None),
        (("9000", ">10000"), 5.046, 0, None),
        ((">10000", "<10"), 6.5, 0, "a repeat says above 8.00, another below 5.00"),
    ],
)
def test_repeats_that_disagree_are_named(
    tmp_path: Path, cells: tuple[str, str], value: float, side: int, reason: str | None
) -> None:
    table = _read(tmp_path, f"smiles,IC50 (nM)\n{ASPIRIN},{cells[0]}\n{ASPIRIN},{cells[1]}\n")
    (one,) = table.measured
    assert (one.value, one.side) == (pytest.approx(value, abs=1e-3), side)
    assert [d.reason for d in table.disagreements] == ([reason] if reason else [])


def test_rows_without_a_value_are_the_pool_and_bad_rows_are_named(tmp_path: Path) -> None:
    table = _read(
        tmp_path,
        f"smiles,IC50 (nM)\n{ASPIRIN},100\n{CAFFEINE},\nCCO,n.d.\n{ASPIRIN},\nC1CC,5\nCCN,abc\nCCC,-3\n"
        'CCCC,"1,5"\nCCCCC,1e20\n[Cu],7\n',
    )
    assert [one.smiles for one in table.open_] == [CAFFEINE, "CCO"]
    assert len(table.measured) == 1
    assert set(table.problems) == {f"line {number}" for number in (6, 7, 8, 9, 10, 11)}
    assert "unclosed ring" in table.problems["line 6"]
    assert "expected a number" in table.problems["line 7"]
    assert "above 0" in table.problems["line 8"]
    assert "comma" in table.problems["line 9"]
    assert "wrong unit" in table.problems["line 10"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("smiles,name\nCCO,x\n", "expected one column of values, found none"),
        ("smiles,IC50 (nM),Ki (nM)\nCCO,1,2\n", "found IC50"),
        ("smiles,activity\nCCO,3\n", "no row can be read"),
        ("smiles,value,unit\nCCO,3,nM\nCCN,50,%\n", "one kind"),
        ("structure,pIC50\nCCO,3\n", "smiles"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        _read(tmp_path, text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        read_assay(tmp_path / "none.csv")
