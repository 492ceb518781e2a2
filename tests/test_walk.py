"""One patient through every door that exists so far: record, prediction, note, case, label, recalibration, ledger."""

from __future__ import annotations

import json
from pathlib import Path

from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.calibrate import resolve
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.note import outpatient_note
from xinglin.apps.diagnosis.remember import confirm_case, erase_case, list_cases, read_case, save_case
from xinglin.apps.diagnosis.render import as_json
from xinglin.ledger import entries, verify
from xinglin.records import read_record
from xinglin.store import Store
from xinglin.types import Code

RECORD = {
    "id": "walk",
    "text": "胸痛3天,伴大汗",
    "patient": {"age": 58, "sex": "male", "allergies": ["青霉素"]},
    "findings": [{"name": "糖尿病史"}, {"name": "发热", "state": "absent"}],
    "vitals": [{"name": "收缩压", "value": 150, "unit": "mmHg"}],
    "labs": [{"name": "肌钙蛋白I", "value": 1.2, "unit": "ng/mL", "high": 0.04}],
}


def test_one_patient_walks_every_door(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(RECORD, ensure_ascii=False), encoding="utf-8")
    record = read_record(path)
    differential = load_differential()
    case = gather(differential, "", record)
    assert {"胸痛", "大汗", "糖尿病史", "肌钙蛋白升高"} <= case.facts.holds
    assert case.named_states["发热"] == "absent"
    rendered = as_json(differential, answer(differential, case))
    assert rendered["triage_level"] in ("call_120", "emergency_now")
    note = outpatient_note(case.text, rendered)
    saved = save_case(store, text=case.text, answer=rendered, note=note, lang="zh", actor="doctor")
    code = Code("icd10-who", "I21", "急性心肌梗死")
    confirm_case(store, saved, code, actor="doctor")
    kept = read_case(store, saved, "doctor")
    assert kept["answer"] == rendered
    assert (kept["confirmed_code"], kept["confirmed_by"]) == ("I21", "doctor")
    assert resolve(differential.pack, {"value": "I21.4"}) is not None
    assert [item["id"] for item in list_cases(store, "doctor")] == [saved]
    assert list_cases(store, "someone else") == []
    erase_case(store, saved, actor="doctor")
    with store.read() as connection:
        chain = list(entries(connection))
        assert verify(connection) == 3
    assert [entry.action for entry in chain] == ["case.save", "case.confirm", "case.erase"]
    assert len({entry.subjects for entry in chain}) == 1
    everything = json.dumps([entry.detail for entry in chain], ensure_ascii=False)
    assert "胸痛" not in everything
