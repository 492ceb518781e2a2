"""The HTTP API over a real server: the documented answer, refusals without traces, cases and their ledger."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from tests.serve.conftest import PATIENT, count, ledger_of, running
from xinglin.apps.diagnosis.differential import Differential
from xinglin.ledger.automated import refuse_automated
from xinglin.ledger.grants import give_consent
from xinglin.records.archive import create_dataset
from xinglin.serve.app import create_app
from xinglin.store import Store
from xinglin.store.tables import cases
from xinglin.store.tables_ledger import salts

Refused = Callable[[httpx.Response], None]
NUMBER = (int, float)
NONE = type(None)
CODE = {"system": str, "value": str, "display": str}
# Keys of docs/answer.md with their types; a list holds the shape of its items.
SHAPE: dict[str, Any] = {
    "triage": str,
    "triage_level": str,
    "red_flags": [{"display": str, "level": str, "action": str, "source": str, "facts": list}],
    "not_excluded": [{"display": str, "question": str, "condition": str, "source": str}],
    "candidates": [
        {
            "code": CODE,
            "probability": (*NUMBER, NONE),
            "calibrated": bool,
            "level": str,
            "score": NUMBER,
            "severity": str,
            "evidence": [{"finding": str, "state": str, "span": (list, NONE), "weight": NUMBER}],
            "exclude_before": [CODE],
            "options": [{"display": str, "kind": str, "outcome": str, "checks": list, "source": str}],
        }
    ],
    "prediction_set": [CODE],
    "abstained": bool,
    "reason": (str, NONE),
    "exams": [
        {
            "code": CODE,
            "display": str,
            "for": list,
            "gain": NUMBER,
            "reason": str,
            "stage": str,
            "available": (bool, NONE),
        }
    ],
    "question": (dict, NONE),
    "findings": [{"code": CODE, "state": str, "value": (*NUMBER, NONE), "span": (list, NONE)}],
    "patient": {"age": (*NUMBER, NONE), "sex": (str, NONE), "allergies": (list, NONE)},
    "problems": list,
    "model": {"id": str, "version": str},
    "disclaimer": str,
}


def has_shape(value: Any, shape: Any, at: str = "answer") -> None:
    if isinstance(shape, dict):
        assert isinstance(value, dict), at
        for key, inner in shape.items():
            assert key in value, f"{at}.{key}"
            has_shape(value[key], inner, f"{at}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), at
        for place, item in enumerate(value):
            has_shape(item, shape[0], f"{at}[{place}]")
    else:
        assert isinstance(value, shape), (at, value)


def ask(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = client.post("/api/diagnose", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    decoded: dict[str, Any] = answer.json()
    has_shape(decoded, SHAPE)
    return decoded


def test_health_names_the_model(client: httpx.Client) -> None:
    body = client.get("/api/health").json()
    assert body["status"] == "ok"
    assert body["model"]["id"] == "starter"


def test_the_seed_patient(client: httpx.Client, api_store: Store) -> None:
    before = count(api_store, "prediction")
    answer = ask(client, text=PATIENT)
    assert answer["triage"] in ("立即转急诊", "呼叫120")
    names = [item["code"]["display"] for item in answer["candidates"]]
    assert len(names) == 5
    assert {"急性冠脉综合征", "不稳定型心绞痛", "急性心肌梗死"} & set(names[:3])
    assert [item["display"] for item in answer["exams"][:2]] == ["心电图", "肌钙蛋白"]
    for exam in answer["exams"]:
        if exam["display"] == "冠状动脉CT血管造影":
            assert exam["stage"] == "after_negative"
    coronary = [item for item in answer["candidates"][:3] if item["code"]["value"].startswith("I2")]
    assert any("主动脉夹层" in [x["display"] for x in item["exclude_before"]] for item in coronary)
    for item in answer["candidates"]:
        assert item["calibrated"] is False
        assert item["probability"] is None
    for found in answer["findings"]:
        if found["span"]:
            assert PATIENT[slice(*found["span"])]
    st = next(item for item in answer["findings"] if item["code"]["display"] == "ST段压低")
    assert "ST段压低" in PATIENT[slice(*st["span"])]
    assert answer["patient"]["age"] == 58
    assert answer["patient"]["sex"] == "male"
    assert "未经注册" in answer["disclaimer"]
    assert count(api_store, "prediction") == before + 1


def test_the_ledger_keeps_no_text(client: httpx.Client, api_store: Store) -> None:
    ask(client, text=PATIENT)
    last = ledger_of(api_store)[-1]
    assert last.action == "prediction"
    assert last.actor == "local"
    kept = json.dumps([last.subjects, last.detail], ensure_ascii=False)
    assert "胸痛" not in kept
    assert "58" not in json.dumps(last.detail["model"])


def test_english_in_and_english_out(client: httpx.Client) -> None:
    text = "58-year-old man, chest pain for 3 days, ECG shows ST depression, sweating"
    answer = ask(client, text=text, lang="en", top=3)
    assert answer["triage_level"] in ("emergency_now", "call_120")
    shown = [item["code"]["display"] for item in answer["candidates"]]
    assert all(name.isascii() for name in shown), shown
    assert all(item["display"].isascii() for item in answer["exams"])
    assert "Not registered" in answer["disclaimer"]
    assert answer["candidates"][0]["level_display"].isascii()


def test_the_ask_loop_ends_and_changes_the_answer(client: httpx.Client) -> None:
    answers: dict[str, str] = {}
    first = ask(client, text="胸痛2小时")
    seen = first
    states = ["present", "absent", "unknown"]
    for turn in range(6):
        if seen["question"] is None:
            break
        key = seen["question"]["finding"]
        assert key not in answers, "the same question twice"
        answers[key] = states[turn % 3]
        seen = ask(client, text="胸痛2小时", answers=answers)
    assert len(answers) >= 3
    told = {item["code"]["value"]: item["state"] for item in seen["findings"] if item["origin"] == "answer"}
    assert told == answers
    assert [c["score"] for c in seen["candidates"]] != [c["score"] for c in first["candidates"]]


def test_answers_alone_are_enough(client: httpx.Client, differential: Differential) -> None:
    key = differential.knowledge.finding_codes["胸痛"].value
    assert ask(client, answers={key: "present"})["candidates"]


def test_the_header_wins_over_the_text(client: httpx.Client) -> None:
    header = {"age": 30, "sex": "female", "allergies": ["Penicillin"], "drugs": [], "egfr": 25}
    answer = ask(client, text=PATIENT, patient=header)
    assert answer["patient"]["age"] == 30
    assert answer["patient"]["sex"] == "female"
    assert answer["patient"]["drugs"] == []
    assert answer["patient"]["egfr"] == 25


@pytest.mark.parametrize("allergen", ["青霉素", "Penicillin", "青霉素过敏", "Allergy to penicillin", "PCN"])
def test_an_allergy_is_seen_however_it_is_written(client: httpx.Client, allergen: str) -> None:
    text = "咽痛发热3天,扁桃体化脓,扁桃体肿大"
    answer = ask(client, text=text, patient={"allergies": [allergen]}, top=10)
    checked = [
        check["outcome"]
        for item in answer["candidates"]
        for option in item["options"]
        if "青霉素" in option["display"]
        for check in option["checks"]
        if check["check"] == "allergy"
    ]
    assert checked, "no penicillin among the options: choose another case"
    assert set(checked) <= {"avoid", "caution"}


def test_an_allergen_nobody_knows_is_never_clear(client: httpx.Client) -> None:
    text = "咽痛发热3天,扁桃体化脓,扁桃体肿大"
    answer = ask(client, text=text, patient={"allergies": ["zzqxw"]}, top=10)
    outcomes = [
        check["outcome"]
        for item in answer["candidates"]
        for option in item["options"]
        for check in option["checks"]
        if check["check"] == "allergy"
    ]
    assert outcomes
    assert "clear" not in outcomes


@pytest.mark.parametrize("top", [1, 7, 50])
def test_top_is_what_comes(client: httpx.Client, top: int) -> None:
    assert len(ask(client, text=PATIENT, top=top)["candidates"]) == top


@pytest.mark.parametrize("top", [0, -1, 51, 1e400, "five", None, 2.5])
def test_a_top_out_of_bounds_is_refused(client: httpx.Client, refused: Refused, top: Any) -> None:
    refused(client.post("/api/diagnose", content=json.dumps({"text": PATIENT, "top": top})))


def bundle() -> dict[str, Any]:
    loinc = "http://loinc.org"
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"resource": {"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1960-02-03"}},
            {
                "resource": {
                    "resourceType": "Observation",
                    "status": "final",
                    "code": {"coding": [{"system": loinc, "code": "8480-6", "display": "Systolic BP"}]},
                    "valueQuantity": {"value": 75, "unit": "mm[Hg]"},
                    "effectiveDateTime": "2024-05-31T08:00:00Z",
                }
            },
            {
                "resource": {
                    "resourceType": "Condition",
                    "clinicalStatus": {"coding": [{"code": "active"}]},
                    "code": {"coding": [{"code": "29857009", "system": "http://snomed.info/sct",
                                         "display": "Chest pain"}]},
                    "onsetDateTime": "2024-05-31",
                }
            },
            {"resource": {"resourceType": "AllergyIntolerance", "code": {"text": "Penicillin"}}},
            {"resource": {"resourceType": "DiagnosticReport", "conclusion": "胸痛,大汗"}},
        ],
    }  # fmt: skip


def test_a_small_bundle(client: httpx.Client) -> None:
    answer = ask(client, record=bundle())
    assert answer["triage_level"] in ("emergency_now", "call_120")
    assert answer["patient"]["sex"] == "male"
    assert round(answer["patient"]["age"]) == 64
    assert answer["patient"]["allergies"] == ["青霉素"]
    assert {"胸痛", "大汗", "低血压"} <= {item["code"]["display"] for item in answer["findings"]}


def test_whole_synthea_bundles(client: httpx.Client, data: Path, api_store: Store) -> None:
    path = data / "text" / "synthea_fhir_r4" / "bundles_full.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no Synthea bundles at {path}")
    before, sent = count(api_store, "prediction"), 0
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if len(line) < 3_500_000:
                ask(client, record=json.loads(line), text="发热两天")
                sent += 1
    assert sent >= 3
    assert count(api_store, "prediction") == before + sent


REFUSED: dict[str, bytes] = {
    "nothing": b"{}",
    "empty text": b'{"text": ""}',
    "blank text": b'{"text": " \\n\\t "}',
    "no body": b"",
    "not json": b"text=1",
    "broken utf-8": '{"text": "胸痛'.encode() + b"\xff\xfe" + b'"}',
    "half a character": b'{"text": "\\ud800\\u80f8\\u75db"}',
    "half a character as a key": b'{"\\udfff": 1, "text": "x"}',
    "half a character in a record": b'{"record": {"resourceType": "Bundle", "id": "\\ud800"}}',
    "nul": b'{"text": "\\u80f8\\u75db\\u0000"}',
    "nan age": b'{"text": "x", "patient": {"age": NaN}}',
    "infinite age": b'{"text": "x", "patient": {"age": 1e999}}',
    "nan lab": b'{"record": {"labs": [{"name": "WBC", "value": NaN}]}}',
    "infinite vital": b'{"record": {"vitals": [{"name": "WBC", "value": -Infinity}]}}',
    "an integer of 5000 digits": b'{"text": "x", "top": ' + b"9" * 5000 + b"}",
    "an integer of 400 digits": b'{"record": {"labs": [{"name": "WBC", "value": ' + b"9" * 400 + b"}]}}",
    "deep lists": b'{"text": "x", "record": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"record": {"a": ' * 30_000 + b"1" + b"}}" * 30_000,
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "wrong text": b'{"text": 5}',
    "wrong record": b'{"record": "Bundle"}',
    "wrong patient": b'{"text": "x", "patient": []}',
    "old patient": b'{"text": "x", "patient": {"age": 131}}',
    "unborn patient": b'{"text": "x", "patient": {"age": -1}}',
    "age as words": b'{"text": "x", "patient": {"age": "58"}}',
    "other sex": b'{"text": "x", "patient": {"sex": "M"}}',
    "wrong answers": b'{"text": "x", "answers": [1]}',
    "wrong state": b'{"text": "x", "answers": {"chest-pain": "maybe"}}',
    "unknown finding": b'{"text": "x", "answers": {"no-such-finding": "present"}}',
    "extra key": b'{"text": "x", "dose": 1}',
    "extra patient key": b'{"text": "x", "patient": {"name": "x"}}',
    "extra record key": b'{"record": {"text": "x", "name": "y"}}',
    "wrong lang": b'{"text": "x", "lang": "fr"}',
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused(
    client: httpx.Client, api_store: Store, refused: Refused, name: str
) -> None:
    before = len(ledger_of(api_store))
    answer = client.post("/api/diagnose", content=REFUSED[name], headers={"content-type": "application/json"})
    refused(answer)
    assert len(answer.content) < 8000
    assert len(ledger_of(api_store)) == before


def test_long_texts_are_too_large(client: httpx.Client, api_store: Store, refused: Refused) -> None:
    before = len(ledger_of(api_store))
    for text in ("痛" * 20_001, "痛" * 350_000, "x" * 5_000_000):
        answer = client.post("/api/diagnose", json={"text": text})
        refused(answer)
        assert answer.status_code == 413
        assert len(answer.content) < 1000
    assert ask(client, text="胸痛" * 10_000)["findings"]
    assert len(ledger_of(api_store)) == before + 1
    record = {"text": "痛" * 20_001}
    refused(client.post("/api/diagnose", json={"record": record}))
    together = client.post("/api/diagnose", json={"text": "痛" * 15_000, "record": {"text": "痛" * 15_000}})
    refused(together)
    assert together.status_code == 413


@pytest.mark.parametrize("text", ["😀🩺🫀", "У меня болит грудь", "!!!", "12345 67890", "‮​", "\x07\x1b[31m"])
def test_what_says_nothing_is_answered_with_abstention(client: httpx.Client, text: str) -> None:
    answer = ask(client, text=text)
    assert answer["abstained"] is True
    assert answer["reason"]
    assert answer["candidates"] == []
    assert answer["triage_level"] != "home"


def test_contradictions_are_named(client: httpx.Client) -> None:
    answer = ask(client, text="胸痛3天。无胸痛。")
    assert answer["problems"]
    assert answer["triage_level"] != "home"


def test_huge_values_are_not_used(client: httpx.Client) -> None:
    record = {"vitals": [{"name": "收缩压", "value": 1e300, "unit": "mmHg"}], "text": "头晕"}
    answer = ask(client, record=record)
    assert any("收缩压" in problem for problem in answer["problems"])
    # A number as a word is no number: nothing is measured from it.
    ask(client, text="收缩压" + "9" * 400 + "mmHg,头晕")


# Every element of a bundle in turn by something of another type.
def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def test_a_bundle_with_a_wrong_type_at_any_level(
    client: httpx.Client, api_store: Store, refused: Refused
) -> None:
    before, accepted, tried = count(api_store, "prediction"), 0, 0
    good = bundle()
    for path in places(good)[1:]:
        for new in (None, 7, "x", [], {}, [[]], True):
            answer = client.post("/api/diagnose", json={"record": replaced(good, path, new)})
            tried += 1
            if answer.status_code == 200:
                accepted += 1
            else:
                refused(answer)
    assert tried > 200
    assert 0 < accepted < tried
    assert count(api_store, "prediction") == before + accepted


def test_two_patients_are_not_one(client: httpx.Client, refused: Refused) -> None:
    two = bundle()
    two["entry"].append(two["entry"][0])
    refused(client.post("/api/diagnose", json={"record": two}))


def test_other_methods_paths_and_types(client: httpx.Client, refused: Refused) -> None:
    refused(client.get("/api/diagnose"))
    refused(client.post("/api/nothing", json={}))
    refused(client.post("/api/diagnose", content=b"<a/>", headers={"content-type": "application/xml"}))
    refused(client.get("/api/cases/..%2f..%2fetc"))


def test_a_note_of_either_kind_and_language(client: httpx.Client, refused: Refused) -> None:
    note = client.post("/api/note", json={"text": PATIENT, "kind": "note"})
    assert note.status_code == 200
    assert note.headers["content-type"].startswith("text/plain")
    assert "胸痛" in note.text
    assert "急性冠脉综合征" in note.text
    letter = client.post("/api/note", json={"text": PATIENT, "kind": "referral"})
    assert "胸痛" in letter.text
    assert letter.text != note.text
    english = client.post("/api/note", json={"text": "chest pain for 3 days", "lang": "en"})
    assert "chest pain" in english.text.lower()
    refused(client.post("/api/note", json={"text": PATIENT, "kind": "prescription"}))


def stored(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(cases)).scalar_one())


def test_a_case_is_kept_confirmed_exported_and_erased(
    client: httpx.Client, api_store: Store, refused: Refused, differential: Differential
) -> None:
    key = differential.knowledge.finding_codes["大汗"].value
    body = {"text": PATIENT, "answers": {key: "present"}, "note": "门诊病历"}
    answer = client.post("/api/cases", json=body)
    assert answer.status_code == 201
    case = answer.json()["id"]
    assert case in [item["id"] for item in client.get("/api/cases").json()]
    kept = client.get(f"/api/cases/{case}").json()
    assert kept["text"] == PATIENT
    assert kept["note"] == "门诊病历"
    assert kept["answer"]["candidates"]
    assert case not in [row["id"] for row in exported(client)]
    confirmed = client.put(f"/api/cases/{case}/confirmed", json={"value": "I21.9", "display": "急性心肌梗死"})
    assert confirmed.status_code == 204
    assert confirmed.content == b""
    row = next(row for row in exported(client) if row["id"] == case)
    assert row["text"] == PATIENT
    assert row["patient"]["age"] == 58
    assert row["answers"] == {key: "present"}
    assert row["disease"] == {"system": "icd10-who", "value": "I21.9", "display": "急性心肌梗死"}
    with api_store.read() as connection:
        assert connection.execute(select(salts).where(salts.c.subject == kept["subject"])).one_or_none()
    before = len(ledger_of(api_store))
    assert client.delete(f"/api/cases/{case}").status_code == 204
    with api_store.read() as connection:
        assert not connection.execute(select(salts).where(salts.c.subject == kept["subject"])).one_or_none()
    assert len(ledger_of(api_store)) == before + 1
    for again in (
        client.get(f"/api/cases/{case}"),
        client.delete(f"/api/cases/{case}"),
        client.put(f"/api/cases/{case}/confirmed", json={"value": "I21.9"}),
    ):
        refused(again)
        assert again.status_code == 404
    assert [entry.action for entry in ledger_of(api_store)][-3:] == [
        "case.save",
        "case.confirm",
        "case.erase",
    ]


def test_a_refusal_is_honoured_and_a_kept_answer_accounted_for(
    client: httpx.Client, api_store: Store, refused: Refused
) -> None:
    with api_store.write() as connection:
        create_dataset(connection, "ward", by="x")
        for subject in ("A", "B"):
            give_consent(connection, "ward", subject=subject, purpose="care", basis="treatment", by="x")
        refuse_automated(connection, "ward", subject="A", by="desk")
    levels = {}
    for subject in ("A", "B", "C"):
        body = {"text": PATIENT, "of": {"dataset": "ward", "subject": subject}}
        levels[subject] = client.post("/api/diagnose", json=body).json()
    assert levels["A"]["triage_level"] == "clinician"
    assert levels["A"]["suggested_triage_level"] == levels["B"]["triage_level"] != "clinician"
    assert levels["B"] == levels["C"]
    case = client.post(
        "/api/cases", json={"text": PATIENT, "of": {"dataset": "ward", "subject": "A"}}
    ).json()["id"]
    told = client.get(f"/api/cases/{case}/account").json()
    assert told["intact"] == {"text": True, "answer": True}
    assert told["triage"].startswith("须由医师决定")
    assert told["weighed"][0]["evidence"]
    assert ledger_of(api_store)[-1].action == "decision.explain"
    refused(client.get("/api/cases/0123456789abcdef/account"))
    refused(client.post("/api/diagnose", json={"text": PATIENT, "of": {"dataset": "none", "subject": "A"}}))
    client.delete(f"/api/cases/{case}")


def exported(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.get("/api/cases/confirmed")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def test_nothing_is_stored_half(client: httpx.Client, api_store: Store, refused: Refused) -> None:
    before, rows = len(ledger_of(api_store)), stored(api_store)
    for body in ({"text": ""}, {"text": PATIENT, "note": "x" * 50_001}, {"text": PATIENT, "note": 5}):
        refused(client.post("/api/cases", json=body))
    refused(client.post("/api/cases", content=b'{"text": "\\u80f8\\u75db", "note": "\\ud800"}'))
    refused(client.put("/api/cases/0123456789abcdef/confirmed", json={"value": ""}))
    refused(client.get("/api/cases/0123456789ABCDEF"))
    assert len(ledger_of(api_store)) == before
    assert stored(api_store) == rows


def test_a_case_of_someone_else_is_not_there(
    client: httpx.Client, api_store: Store, refused: Refused
) -> None:
    case = client.post("/api/cases", json={"text": PATIENT}).json()["id"]
    client.put(f"/api/cases/{case}/confirmed", json={"value": "I21.9", "display": "急性心肌梗死"})
    with api_store.write() as connection:
        connection.execute(cases.update().where(cases.c.id == case).values(owner="another"))
    assert case not in [item["id"] for item in client.get("/api/cases").json()]
    assert case not in [row["id"] for row in exported(client)]
    for answer in (
        client.get(f"/api/cases/{case}"),
        client.delete(f"/api/cases/{case}"),
        client.put(f"/api/cases/{case}/confirmed", json={"value": "I21.9"}),
    ):
        refused(answer)
        assert answer.status_code == 404


def test_the_session_of_local_mode(client: httpx.Client) -> None:
    assert client.get("/api/session").json() == {"user": "local", "csrf": None}


def test_the_unexpected_leaves_no_patient_data_in_log_or_answer(
    differential: Differential, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(differential, store, workbench=False)

    @app.get("/api/boom")
    def boom() -> None:
        raise RuntimeError("patient Zhang San, 58")

    with caplog.at_level(logging.DEBUG), running(app) as address:
        logging.getLogger("uvicorn.error").propagate = True
        logging.getLogger("uvicorn").propagate = True
        answer = httpx.get(f"{address}/api/boom")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Zhang" not in answer.text
    assert "RuntimeError" in caplog.text
    assert "Zhang" not in caplog.text


def test_many_at_once_leave_one_whole_chain(client: httpx.Client, api_store: Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    before = count(api_store, "prediction")
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda n: client.post("/api/diagnose", json={"text": f"咳嗽{n + 1}天"}), range(24))
        )
    assert [answer.status_code for answer in answers] == [200] * 24
    assert count(api_store, "prediction") == before + 24
