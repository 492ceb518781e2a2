"""``/api/labels``: annotation rounds over HTTP. The same functions as the page and the command line, and their ledger.

Who asks is the session's user; what a person may see and do is for :mod:`xinglin.labels` to say.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache, partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from xinglin.apps.diagnosis.differential import Differential
from xinglin.labels.answer import Answer
from xinglin.labels.arbitrate import Opinion
from xinglin.labels.assign import Task, waiting
from xinglin.labels.audit import draw_audit
from xinglin.labels.bring_in import bring_in
from xinglin.labels.campaign import (
    PURPOSE,
    ROLE_OF,
    STAGES,
    Campaign,
    assign,
    close_campaign,
    list_campaigns,
    open_campaign,
    own_campaign,
    read_campaign,
)
from xinglin.labels.decide import Outcome, answer_vote, decide, skip, undo
from xinglin.labels.export import evidence_files, label_studio_file, labels_file
from xinglin.labels.label_studio import labelling_config, read_tasks
from xinglin.labels.overview import overview
from xinglin.labels.scheme import scheme_from_json, scheme_to_json
from xinglin.labels.scheme_search import SchemeSearch
from xinglin.labels.second_looks import looks, open_looks
from xinglin.labels.verify import next_task, see_vote
from xinglin.records.archive import read
from xinglin.records.codec import record_to_json
from xinglin.serve.labels_bodies import (
    AnswerBody,
    CampaignBody,
    DrawBody,
    ImportBody,
    LabelBody,
    LooksBody,
    RoleBody,
    SkipBody,
    StageBody,
)
from xinglin.serve.model_vote import model_vote
from xinglin.serve.strict import strict_json
from xinglin.store import Store
from xinglin.types import Code

CampaignId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
Slot = Annotated[int, Path(ge=1, le=2**31 - 1, description="of the case, as next gave it")]
Form = Literal["jsonl", "label-studio", "label-studio-config", "evidence"]
MEDIA: dict[Form, str] = {
    "jsonl": "application/x-ndjson",
    "label-studio": "application/json",
    "label-studio-config": "application/xml",
    "evidence": "application/json",
}


def router(differential: Differential, store: Store) -> APIRouter:
    """Return the routes over a loaded model, which votes in assisted campaigns, and a store."""
    api = APIRouter(prefix="/api/labels", dependencies=[Depends(strict_json)], tags=["labels"])
    _for_the_lead(api, store)
    _for_everybody(api, differential, store)
    return api


def _mine(store: Store, request: Request, campaign: str) -> tuple[Campaign, str]:
    user = str(request.state.user)
    return own_campaign(store, campaign, user)[0], user


def _for_everybody(api: APIRouter, differential: Differential, store: Store) -> None:
    @lru_cache(maxsize=8)
    def searched(campaign: str) -> SchemeSearch:
        return SchemeSearch(read_campaign(store, campaign).scheme)  # a scheme never changes

    @api.get("/campaigns")
    def campaigns(request: Request) -> list[dict[str, Any]]:
        """List the campaigns in which one has a role, newest first, each with what waits for one at its stages."""
        user = str(request.state.user)
        return [
            {
                **_campaign(campaign),
                "roles": list(roles),
                "waiting": {
                    stage: waiting(store, campaign, user, stage)
                    for stage in STAGES
                    if ROLE_OF[stage] in roles and not campaign.closed
                },
            }
            for campaign, roles in list_campaigns(store, user)
        ]

    @api.get("/campaigns/{campaign}/scheme")
    def scheme(campaign: CampaignId, request: Request) -> dict[str, Any]:
        """Return the scheme of a campaign: its classes with their definitions."""
        return scheme_to_json(_mine(store, request, campaign)[0].scheme)

    @api.get("/campaigns/{campaign}/classes")
    def classes(
        campaign: CampaignId,
        request: Request,
        q: Annotated[str, Query(min_length=1, max_length=200)],
        limit: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> list[dict[str, str]]:
        """Search the classes of a campaign by code and name, the closest first."""
        _mine(store, request, campaign)
        return [
            {"system": one.code.system, "code": one.code.value, "zh": one.zh, "en": one.en}
            for one in searched(campaign).find(q, limit)
        ]

    @api.post("/campaigns/{campaign}/next")
    def next_case(campaign: CampaignId, body: StageBody, request: Request) -> dict[str, Any]:
        """Take the next case of a stage, or the one that is held; ``task`` is null when none is open."""
        made, user = _mine(store, request, campaign)
        voter = partial(model_vote, differential, scheme=made.scheme)
        task = next_task(store, made, user, body.stage, lambda record: voter(record))
        return {"task": None if task is None else _task(task)}

    @api.post("/campaigns/{campaign}/cases/{slot}/label")
    def label(campaign: CampaignId, slot: Slot, body: LabelBody, request: Request) -> dict[str, Any]:
        """Give a label; where ``vote_waits`` the model's vote is to be looked at and answered."""
        made, user = _mine(store, request, campaign)
        answer = made.scheme.answer(body.codes)
        done = decide(store, made, slot, user, answer, spans=body.spans, confidence=body.confidence)
        return _outcome(done)

    @api.post("/campaigns/{campaign}/cases/{slot}/vote")
    def vote(campaign: CampaignId, slot: Slot, request: Request) -> dict[str, Any]:
        """Look at the model's vote on a case that one has labelled; that it was seen is written down."""
        made, user = _mine(store, request, campaign)
        seen = see_vote(store, made, slot, user)
        return {
            "model": seen.model,
            "code": None if seen.code is None else _code(seen.code),
            "probability": seen.probability,
            "spans": [list(span) for span in seen.spans],
        }

    @api.post("/campaigns/{campaign}/cases/{slot}/answer")
    def answer(campaign: CampaignId, slot: Slot, body: AnswerBody, request: Request) -> dict[str, Any]:
        """Answer the model's vote: the same codes confirm the label, others reconsider it."""
        made, user = _mine(store, request, campaign)
        given = made.scheme.answer(body.codes)
        return _outcome(answer_vote(store, made, slot, user, given, spans=body.spans))

    @api.post("/campaigns/{campaign}/cases/{slot}/skip")
    def pass_on(campaign: CampaignId, slot: Slot, body: SkipBody, request: Request) -> dict[str, Any]:
        """Pass a case on with a reason."""
        made, user = _mine(store, request, campaign)
        return _outcome(skip(store, made, slot, user, body.reason, body.note))

    @api.post("/campaigns/{campaign}/undo")
    def take_back(campaign: CampaignId, request: Request) -> dict[str, int]:
        """Take one's own last decision back; its case is held again."""
        made, user = _mine(store, request, campaign)
        return {"slot": undo(store, made, user)}


def _for_the_lead(api: APIRouter, store: Store) -> None:
    @api.post("/campaigns", status_code=201)
    def begin(body: CampaignBody, request: Request) -> dict[str, Any]:
        """Open a campaign over records of a data set for which one has a grant; who asks is its lead."""
        user = str(request.state.user)
        made = open_campaign(
            store,
            body.name,
            dataset=body.dataset,
            scheme=scheme_from_json(body.scheme),
            records=body.records
            or [one.id for one in read(store, body.dataset, purpose=PURPOSE, actor=user, limit=body.limit)],
            lead=user,
            lease=body.lease,
            assisted=body.assisted,
        )
        return _campaign(made)

    @api.post("/campaigns/{campaign}/roles", status_code=204, response_class=Response)
    def give_role(campaign: CampaignId, body: RoleBody, request: Request) -> None:
        """Give a person a role; reading needs a grant besides."""
        made, user = _mine(store, request, campaign)
        assign(store, made, body.user, body.role, by=user)

    @api.get("/campaigns/{campaign}/overview")
    def state(campaign: CampaignId, request: Request) -> dict[str, Any]:
        """Return progress, agreement and people; for the lead."""
        made, user = _mine(store, request, campaign)
        return asdict(overview(store, made, by=user))

    @api.get("/campaigns/{campaign}/second-looks")
    def doubt(campaign: CampaignId, request: Request) -> dict[str, Any]:
        """Return how doubtful the settled labels are; for the lead."""
        made, user = _mine(store, request, campaign)
        return asdict(looks(store, made, by=user))

    @api.post("/campaigns/{campaign}/second-looks")
    def look_again(campaign: CampaignId, body: LooksBody, request: Request) -> dict[str, list[str]]:
        """Open the most doubtful records for experts, until the budget is spent."""
        made, user = _mine(store, request, campaign)
        return {"opened": list(open_looks(store, made, body.most, by=user, budget=body.budget))}

    @api.post("/campaigns/{campaign}/audit")
    def draw(campaign: CampaignId, body: DrawBody, request: Request) -> dict[str, Any]:
        """Draw settled records for the blind audit."""
        made, user = _mine(store, request, campaign)
        return asdict(draw_audit(store, made, body.size, seed=body.seed, by=user))

    @api.get("/campaigns/{campaign}/results")
    def results(campaign: CampaignId, request: Request, form: Form = "jsonl") -> Response:
        """Export labels as JSON lines, Label Studio tasks or configuration, or the audit's evidence by file name."""
        made, user = _mine(store, request, campaign)
        if form == "jsonl":
            content = labels_file(store, made, by=user)
        elif form == "label-studio":
            content = label_studio_file(store, made, by=user)
        elif form == "label-studio-config":
            content = labelling_config(made.scheme).encode()
        else:
            files = evidence_files(store, made, by=user)
            content = json.dumps({name: data.decode() for name, data in files.items()}).encode()
        return Response(content, media_type=MEDIA[form])

    @api.post("/campaigns/{campaign}/import")
    def take_in(campaign: CampaignId, body: ImportBody, request: Request) -> dict[str, int]:
        """Bring labels in that Label Studio exported; each takes an open place of its stage."""
        made, user = _mine(store, request, campaign)
        content = json.dumps(body.tasks, ensure_ascii=False).encode()
        tasks = read_tasks(content, made.scheme, people=body.people)
        return bring_in(store, made, tasks, by=user, source=content)

    @api.post("/campaigns/{campaign}/close", status_code=204, response_class=Response)
    def close(campaign: CampaignId, request: Request) -> None:
        """Close a campaign: no more labels are taken."""
        made, user = _mine(store, request, campaign)
        close_campaign(store, made, by=user)


def _campaign(campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "lead": campaign.lead,
        "dataset": campaign.dataset,
        "scheme": {
            "name": campaign.scheme.name,
            "digest": campaign.scheme.digest,
            "multi": campaign.scheme.multi,
        },
        "lease": campaign.lease,
        "assisted": campaign.assisted,
        "closed": campaign.closed,
        "created": campaign.created,
    }


def _task(task: Task) -> dict[str, Any]:
    """What a person may see of a case; paths of image files stay here."""
    record = {name: value for name, value in record_to_json(task.record).items() if name != "volumes"}
    return {
        "slot": task.slot,
        "stage": task.stage,
        "record": record,
        "opinions": [_opinion(opinion) for opinion in task.opinions],
        "decided": _codes(task.decided),
    }


def _opinion(opinion: Opinion) -> dict[str, Any]:
    return {
        "codes": _codes(opinion.codes),
        "blind": _codes(opinion.blind),
        "confidence": opinion.confidence,
        "spans": [list(span) for span in opinion.spans],
        "reason": opinion.reason,
    }


def _outcome(done: Outcome) -> dict[str, Any]:
    return {"slot": done.slot, "kind": done.kind, "vote_waits": done.vote_waits}


def _codes(answer: Answer | None) -> list[dict[str, str]] | None:
    return None if answer is None else [_code(code) for code in answer]


def _code(code: Code) -> dict[str, str]:
    return {"system": code.system, "code": code.value, "display": code.display}
