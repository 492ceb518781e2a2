"""UCUM units of clinical records, and what only looks like one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from xinglin.terms.ucum import is_ucum, plain_unit


@pytest.mark.parametrize(
    "unit",
    ["mm[Hg]", "cm[H2O]", "Cel", "[degF]", "10*3/uL", "10*9/L", "10^9/L", "{score}", "kg/m2", "mg/dL", "mmol/L",
     "mL/min/{1.73_m2}", "mL/min/1.73.m2", "[IU]/L", "m[IU]/L", "U/L", "/min", "{beats}/min", "/[HPF]", "%", "g%",
     "mosm/kg", "meq/L", "ug/mL{FEU}", "1", "mg/(24.h)", "kg.m/s2", "s-1", "[pH]", "[lb_av]", "fL", "pg", "mo", "a",
     "mm/h", "ng/(mL.h)", "dB"],
)  # fmt: skip
def test_units_of_ucum(unit: str) -> None:
    assert is_ucum(unit)


@pytest.mark.parametrize(
    "unit",
    ["", " ", "mmHg", "mm Hg", "℃", "次/分", "MG/DL", "mg//dL", "mg/", "/", "(mg", "mg)", "{", "{a", "mg{", "{a b}",
     "10*3/μL", "iu/L", "IU/L", "mcg", "k", "[", "[]", "0", "mg/0", "m" * 200, "g" + "/g" * 80, "(" * 90],
)  # fmt: skip
def test_what_is_no_unit_of_ucum(unit: str) -> None:
    assert not is_ucum(unit)


def test_every_unit_of_the_synthetic_hospital_is_ucum(data: Path) -> None:
    units = set()
    with gzip.open(
        data / "text" / "synthea_fhir_r4" / "bundles_full.jsonl.gz", "rt", encoding="utf-8"
    ) as lines:
        for line in lines:
            for entry in json.loads(line)["entry"]:
                resource = entry["resource"]
                for part in (resource, *resource.get("component", [])):
                    units.add(part.get("valueQuantity", {}).get("code"))
    units.discard(None)
    assert len(units) > 15
    assert {unit for unit in units if not is_ucum(unit)} == set()


@pytest.mark.parametrize(
    ("unit", "printed"),
    [("mm[Hg]", "mmHg"), ("Cel", "℃"), ("{score}", ""), ("{beats}/min", "/min"), ("mL/min/{1.73_m2}", "mL/min/1.73m2"),
     ("m[IU]/L", "mIU/L"), ("mg/dL", "mg/dL"), ("1", ""), ("ug/mL{FEU}", "ug/mL FEU")],
)  # fmt: skip
def test_units_as_they_are_printed(unit: str, printed: str) -> None:
    assert plain_unit(unit) == printed
