"""``xinglin diagnose``: the whole answer in the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.options import AsJson, CaseRecord, CaseText, Engine, Ledger, Model, Profile

if TYPE_CHECKING:
    from xinglin.types import Record


def diagnose(
    text: CaseText = "",
    record: CaseRecord = None,
    volume: Annotated[
        Path | None,
        typer.Option(help="同一患者的胸部 CT The same patient's chest CT: a DICOM folder or a volume file."),
    ] = None,
    confirm: Annotated[
        list[int] | None,
        typer.Option(
            help="医师已确认的结节编号,可多次 Number of a nodule that a reader confirms; repeatable."
        ),
    ] = None,
    stated: Annotated[
        str | None,
        typer.Option(help="格式不注明时由您声明,如 CT The volume's modality, where the format names none."),
    ] = None,
    as_json: AsJson = False,
    top: Annotated[int, typer.Option(min=1, max=50, help="候选数 Number of candidates.")] = 5,
    lang: Annotated[str, typer.Option(help="zh or en")] = "zh",
    model: Model = None,
    engine: Engine = None,
    profile: Profile = None,
    ask: Annotated[bool, typer.Option("--ask", help="逐一追问 Ask the most useful questions.")] = False,
    note: Annotated[bool, typer.Option("--note", help="输出门诊病历 Print the outpatient note.")] = False,
    referral: Annotated[
        bool, typer.Option("--referral", help="输出转诊单 Print the referral letter.")
    ] = False,
    dataset: Annotated[
        str | None, typer.Option(help="取自此数据集的库存病历 A stored record of this data set; with --id.")
    ] = None,
    stored: Annotated[
        str | None, typer.Option("--id", help="库存病历的编号 Id of the stored record.")
    ] = None,
    actor: Annotated[
        str, typer.Option("--as", help="读取者,须有 care 授权 Who reads it; needs a grant for care.")
    ] = "cli",
    ledger: Ledger = True,
) -> None:
    """鉴别诊断:先看危险信号。Differential diagnosis, red flags first."""
    from xinglin.apps.diagnosis import load_differential
    from xinglin.apps.diagnosis.answer import answer
    from xinglin.apps.diagnosis.facts import gather
    from xinglin.apps.diagnosis.render import as_json as render
    from xinglin.cli.input import engine as known_engine
    from xinglin.cli.input import language, read_text
    from xinglin.errors import InvalidInputError
    from xinglin.records import read_record

    language_ = language(lang)
    differential = load_differential(model, profile, known_engine(engine))
    patient_record = read_record(record) if record else None
    refused = False
    if dataset is not None or stored is not None:
        if dataset is None or stored is None or record is not None:
            raise InvalidInputError("a stored record: give --dataset and --id, and leave --record out")
        patient_record, refused = _stored(dataset, stored, actor)
    words = read_text(text)
    if volume is not None:
        from xinglin.cli.pictured import with_volume

        patient_record, report = with_volume(
            differential, patient_record, volume, stated=stated, confirm=confirm or ()
        )
        if ledger:
            from xinglin.cli.imaging_find import remember_report

            remember_report(report, [])
    elif confirm:
        raise InvalidInputError(
            "--confirm names nodules of a CT: give it with --volume PATH 请同时给出 --volume"
        )
    if ask:
        from xinglin.cli.dialogue import hold

        case, result = hold(differential, words, patient_record, top, language_)
    else:
        case = gather(differential, words, patient_record, lang=language_)
        result = answer(differential, case, top)
    rendered = render(differential, result, language_)
    if refused:
        from xinglin.apps.diagnosis.decision import for_clinician

        rendered = for_clinician(rendered, language_)
    if ledger:
        from xinglin.apps.diagnosis.remember import remember_prediction
        from xinglin.store import open_store

        remember_prediction(open_store(), case.text, rendered, actor="cli")
    if as_json:
        typer.echo(json.dumps(rendered, ensure_ascii=False, indent=2))
    elif note or referral:
        from xinglin.apps.diagnosis.note import outpatient_note, referral_letter

        write = referral_letter if referral else outpatient_note
        typer.echo(write(case.text, rendered, language_, clinic=differential.profile.name))
    else:
        from xinglin.cli.screen import show

        show(case.text, rendered, language_)


def _stored(dataset: str, record: str, actor: str) -> tuple[Record, bool]:
    """Read a stored record for care; tell whether its subject refuses decisions made by automation alone."""
    from xinglin.ledger.automated import refuses_automated
    from xinglin.records.archive import read_one
    from xinglin.store import open_store

    store = open_store()
    found = read_one(store, dataset, record, purpose="care", actor=actor)
    with store.read() as connection:
        return found, refuses_automated(connection, dataset, found.subject or found.id)
