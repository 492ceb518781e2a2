"""The parts of the workbench that need no browser."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text_models import word_checkpoint
from xinglin.apps.diagnosis.differential import (
    Differential,
    load_differential,
    load_encoder,
    with_encoder,
)
from xinglin.apps.diagnosis.wording import aged
from xinglin.errors import ConfigurationError, InputTooLargeError, InvalidInputError, UnknownNameError
from xinglin.measure.markup import tag
from xinglin.measure.typography import full_width
from xinglin.serve.workbench.about import about
from xinglin.serve.workbench.candidates import details, percent_note, summary
from xinglin.serve.workbench.confirmation import diseases_like
from xinglin.serve.workbench.consult import consult
from xinglin.serve.workbench.draft import Draft, draft_from, draft_of_case, listed
from xinglin.serve.workbench.highlight import clusters, highlighted, lasting, shown_state
from xinglin.serve.workbench.icons import PATHS, icon
from xinglin.serve.workbench.mounting import installation_secret
from xinglin.serve.workbench.neighbourhood import find, neighbourhood, suggestions
from xinglin.serve.workbench.phrases import PHRASES, say
from xinglin.serve.workbench.radial import MAX_SPOKES, chosen, radial
from xinglin.serve.workbench.report import report
from xinglin.serve.workbench.samples import SAMPLES
from xinglin.serve.workbench.verdict import reading, red_flags, triage_banner

SEED = "患者男性,58岁,胸痛3天,心电图显示ST段压低"


@pytest.fixture(scope="module")
def differential() -> Differential:
    return load_differential(engine="graph")


def finding(start: int, end: int, state: str = "present", **more: Any) -> dict[str, Any]:
    base = {
        "code": {"system": "xinglin", "value": "x", "display": "X"},
        "span": [start, end],
        "state": state,
        "state_display": state,
        "value": None,
        "unit": None,
        "time": None,
        "origin": "text",
    }
    return base | more


def test_every_phrase_has_both_languages_and_the_same_blanks() -> None:
    assert len(PHRASES) > 150
    for key, (zh, en) in PHRASES.items():
        blanks = [{part.split("}")[0] for part in words.split("{")[1:]} for words in (zh, en)]
        assert all(words.strip() for words in (zh, en)), key
        assert blanks[0] == blanks[1], key


@given(st.text())
def test_markup_escapes_whatever_comes(text: str) -> None:
    shown = tag("p", text, title=text)
    assert shown.count("<") == 2
    assert shown.count(">") == 2


def test_icons_are_drawn_and_silent() -> None:
    assert len(PATHS) > 10
    assert all('aria-hidden="true"' in icon(name) for name in PATHS)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("否认,无", "否认\uff0c无"),
        ("共 5 级,第 3 级", "共 5 级\uff0c第 3 级"),
        ("egfr<30,慎用", "egfr<30\uff0c慎用"),
        ("未知(P2Y12)", "未知\uff08P2Y12\uff09"),
        ("ICD-10: I20, I21 (WHO)", "ICD-10: I20, I21 (WHO)"),
    ],
)
def test_chinese_punctuation_is_full_width(text: str, shown: str) -> None:
    assert full_width(text) == shown


@given(st.text(alphabet="胸痛ab1,;:()?! "))
def test_typesetting_keeps_every_other_character(text: str) -> None:
    back = full_width(text)
    for half, full in zip(",;:()?!", "\uff0c\uff1b\uff1a\uff08\uff09\uff1f\uff01", strict=True):
        back = back.replace(full, half)
    assert back.replace(" ", "") == text.replace(" ", "")


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=12))
def test_clusters_do_not_overlap_and_cover_every_span(spans: list[tuple[int, int]]) -> None:
    findings = [finding(a, b) for a, b in spans]
    grouped = clusters(findings, 20)
    ends = [0]
    for start, end, shared in grouped:
        assert ends[-1] <= start < end <= 20
        assert all(start <= item["span"][0] and item["span"][1] <= end for item in shared)
        ends.append(end)
    assert sum(len(shared) for *_, shared in grouped) == sum(0 <= a < b <= 20 for a, b in spans)


def test_a_mark_shows_what_was_read_not_what_follows_from_it() -> None:
    assert shown_state([finding(0, 2, "absent"), finding(0, 2, "present", origin="derived")]) == "absent"
    assert shown_state([finding(0, 2, "absent", value=5.0), finding(0, 2, "absent", value=5.0)]) == "normal"
    assert shown_state([finding(0, 2, "absent", value=5.0), finding(0, 2, value=5.0)]) == "present"


def test_the_text_is_shown_as_typed_and_escaped() -> None:
    shown = highlighted("<b>胸痛,3天</b>", [finding(3, 5)], "zh")
    assert "&lt;b&gt;<mark" in shown
    assert ",3天&lt;/b&gt;" in shown


@pytest.mark.parametrize(
    ("time", "zh", "en"),
    [
        ("P3D", "3天", "3 d"),
        ("PT30M", "30分钟", "30 min"),
        ("P2M", "2个月", "2 mo"),
        ("PT12H", "12小时", "12 h"),
        (None, "", ""),
        ("2024-01-02", "2024-01-02", "2024-01-02"),
        ("P1DT2H", "P1DT2H", "P1DT2H"),
    ],
)
def test_durations_in_words(time: str | None, zh: str, en: str) -> None:
    assert lasting(time, "zh") == zh
    assert lasting(time, "en") == en


def test_ages_in_words() -> None:
    assert aged(58, "zh") == "58岁"
    assert aged(8 / 12, "zh") == "8个月"
    assert aged(9 / 365.25, "en") == "9 days"


def test_what_is_not_typed_stays_unknown(differential: Differential) -> None:
    patient, unread = Draft(text="x").patient(differential.vocabulary, "zh")
    assert all(getattr(patient, name) is None for name in patient.__dataclass_fields__)
    assert unread == ()


def test_the_header_in_its_units(differential: Differential) -> None:
    draft = Draft(
        age=9, age_unit="days", sex="female", motherhood="none", allergies="无", drugs="Aspirin, 某某散"
    )
    patient, unread = draft.patient(differential.vocabulary, "zh")
    assert patient.age == pytest.approx(9 / 365.25)
    assert (patient.pregnant, patient.lactating) == (False, False)
    assert patient.allergies == ()
    assert patient.drugs == ("阿司匹林", "某某散")
    assert unread == ("某某散",)
    assert Draft(motherhood="lactating").patient(differential.vocabulary, "zh")[0].pregnant is None
    with pytest.raises(InvalidInputError, match="年龄"):
        Draft(age=580).patient(differential.vocabulary, "zh")
    with pytest.raises(InvalidInputError, match="male"):
        Draft(sex="male", motherhood="pregnant").patient(differential.vocabulary, "en")


def test_a_list_is_read_by_any_separator(differential: Differential) -> None:
    assert listed("", differential.vocabulary) == (None, ())
    assert listed("NKDA", differential.vocabulary) == ([], ())
    assert (
        listed("青霉素;磺胺", differential.vocabulary)[0]
        == listed("青霉素、磺胺", differential.vocabulary)[0]
    )


def test_a_draft_goes_stale_and_back() -> None:
    draft = Draft(text="胸痛")
    assert not draft.stale
    draft.asked = draft.print_of_input()
    draft.answers["x"] = "present"
    assert not draft.stale
    draft.age = 3
    assert draft.stale
    draft.age = None
    assert not draft.stale
    assert draft_from({"text": "胸痛", "unknown": 1}).text == "胸痛"
    assert draft_from(None) == Draft()


def test_a_case_saved_through_the_api_opens_with_its_header() -> None:
    header = {
        "age": 30.0,
        "sex": "female",
        "pregnant": True,
        "gestation_weeks": 20.0,
        "lactating": None,
        "allergies": [],
        "drugs": None,
        "egfr": None,
    }
    case = {"id": "a" * 16, "text": "头痛", "note": "", "patient": header, "answer": {}}
    draft = draft_of_case(case)
    assert (draft.motherhood, draft.weeks, draft.allergies, draft.drugs) == ("pregnant", 20.0, "无", "")


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_every_sample_has_an_answer_that_can_be_drawn(
    differential: Differential, number: int, lang: Any
) -> None:
    draft = Draft(text=SAMPLES[number].words)
    result = consult(differential, draft, lang)
    answer = result.rendered
    assert answer["candidates"]
    assert triage_banner(answer, lang)
    assert reading(result.text, answer, lang).count("<mark") >= 2
    for rank, item in enumerate(answer["candidates"], 1):
        assert summary(rank, item, 1.0, lang)
        assert details(item, answer["model"], lang)
    assert "<script" not in report(result, draft.answers, lang)


@pytest.mark.parametrize(
    ("lang", "share", "learnt"),
    [
        ("zh", "文本模型的份额", "权重学自 dev (n=300)"),
        ("en", "share of the text model", "weights learnt on dev (n=300)"),
    ],
)
def test_the_share_of_a_text_model_is_drawn_and_printed(
    differential: Differential, tmp_path: Path, lang: Any, share: str, learnt: str
) -> None:
    labels = [disease.name for disease in differential.pack.diseases]
    joined = with_encoder(differential, load_encoder(word_checkpoint(tmp_path / "model", labels)))
    draft = Draft(text=SEED)
    result = consult(joined, draft, lang)
    answer = result.rendered
    unlearnt = "未经校准" if lang == "zh" else "uncalibrated"
    for item in answer["candidates"]:
        opened = details(item, answer["model"], lang)
        assert opened.count(share) == 1
        assert unlearnt in opened
        assert summary(1, item, 1.0, lang)
    printed = report(result, draft.answers, lang)
    assert printed.count(share) == len(answer["candidates"])
    assert joined.encoder is not None
    assert joined.encoder.id[:12] in printed
    assert joined.encoder.id[:16] in "".join(about(joined, lang))
    assert (
        "text model" in percent_note(answer, lang)
        if lang == "en"
        else "文本模型" in percent_note(answer, lang)
    )
    assert joined.join is not None
    fitted = replace(joined, join=replace(joined.join, n=300, set="dev"))
    known = consult(fitted, draft, lang)
    assert learnt in full_width(report(known, draft.answers, lang)) or learnt in report(
        known, draft.answers, lang
    )
    assert unlearnt not in details(known.rendered["candidates"][0], known.rendered["model"], lang)
    plain = consult(joined.using("graph"), draft, lang)
    assert share not in report(plain, draft.answers, lang)


def test_english_pages_name_facts_in_english(differential: Differential) -> None:
    answer = consult(differential, Draft(text=SEED), "en").rendered
    shown = red_flags(answer, "en")
    assert shown is not None
    assert "chest pain" in shown


def test_an_unknown_answer_is_not_asked_again(differential: Differential) -> None:
    draft = Draft(text=SEED)
    first = consult(differential, draft, "zh").rendered["question"]["finding"]
    draft.answers[first] = "unknown"
    assert consult(differential, draft, "zh").rendered["question"]["finding"] != first


def test_nothing_and_too_much_are_refused(differential: Differential) -> None:
    with pytest.raises(InvalidInputError, match="请先输入"):
        consult(differential, Draft(), "zh")
    with pytest.raises(InputTooLargeError, match="20000"):
        consult(differential, Draft(text="痛" * 20_001), "en")


def test_allergies_of_a_record_are_checked_by_their_vocabulary_name(differential: Differential) -> None:
    record = {"text": "咳嗽", "patient": {"allergies": ["Penicillin", "xyzzy"], "drugs": []}}
    answer = consult(differential, Draft(record=record), "zh").rendered
    assert answer["patient"]["allergies"] == ["青霉素", "xyzzy"]
    assert any("xyzzy" in problem for problem in answer["problems"])


def test_diseases_are_found_by_name_alias_and_code(differential: Differential) -> None:
    knowledge = differential.knowledge
    assert diseases_like(knowledge, "I21")[0].icd10.startswith("I21")
    assert diseases_like(knowledge, "急性心肌梗死")[0].name == "急性心肌梗死"
    assert diseases_like(knowledge, "myocardial infarction")
    assert diseases_like(knowledge, " ") == []


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize(
    "name", ["急性心肌梗死", "发热", "心电图", "chest pain", "acute-myocardial-infarction"]
)
def test_a_concept_and_its_neighbours(differential: Differential, name: str, lang: Any) -> None:
    around = neighbourhood(differential, find(differential, name), lang)
    assert around.edges
    assert len(chosen(around.edges)) <= MAX_SPOKES
    drawn = radial(around, lang)
    assert drawn.count("<a ") == len(chosen(around.edges))
    assert {edge.group for edge in chosen(around.edges)} <= {edge.group for edge in around.edges}


def test_search_in_both_languages_and_an_unknown_name(differential: Differential) -> None:
    assert any(name == "胸痛" for _, name, _ in suggestions(differential, "胸痛", "zh"))
    assert any("chest pain" in shown for *_, shown in suggestions(differential, "chest pain", "en"))
    with pytest.raises(UnknownNameError, match="nearest"):
        find(differential, "没有这个东西")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_about_says_what_is_unreviewed(differential: Differential, lang: Any) -> None:
    page = "".join(about(differential, lang))
    assert f"{len(differential.knowledge.diseases):,}" in page
    assert differential.pack.version in page
    assert "Apache-2.0" in page


def test_the_secret_is_made_once_and_private(home: Path) -> None:
    first = installation_secret()
    path = home / "keys" / "workbench.secret"
    assert installation_secret() == first == path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("short")
    with pytest.raises(ConfigurationError, match="delete it"):
        installation_secret()


def test_say_fills_in(differential: Differential) -> None:
    assert say("show_more", "en", count=3) == "3 more"
