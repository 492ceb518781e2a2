"""A CT and words and values of one patient through the API: one differential with the image's share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from tests.serve.conftest import running
from xinglin.apps.diagnosis.differential import Differential
from xinglin.errors import InvalidInputError
from xinglin.serve.app import create_app
from xinglin.serve.fusing import Seen, confirmed_numbers, with_image
from xinglin.store import Store
from xinglin.types import Record

CASE = {
    "record": {
        "text": "男,63岁,咳嗽2个月,痰中带血,消瘦,吸烟40年",
        "labs": [{"name": "癌胚抗原", "value": 12.0, "unit": "ng/mL"}],
    }
}


@pytest.fixture(scope="module")
def client(differential: Differential, api_store: Store) -> Iterator[httpx.Client]:
    with (
        running(create_app(differential, api_store, workbench=False)) as address,
        httpx.Client(base_url=address, timeout=60) as opened,
    ):
        yield opened


def test_a_confirmed_nodule_counts_and_an_unconfirmed_one_does_not(client: httpx.Client) -> None:
    def ask(image: object) -> dict[str, object]:
        answer = client.post("/api/diagnose", json={**CASE, "image": image} if image else CASE)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    plain, seen = ask(None), ask({"nodules": [{"number": 1, "diameter_mm": 12.0}]})
    agreed = ask({"nodules": [{"number": 1, "diameter_mm": 12.0, "confirmed": True}], "date": "2026-01-05"})
    assert plain["image"] is None
    assert [row["score"] for row in seen["candidates"]] == [row["score"] for row in plain["candidates"]]
    assert agreed["candidates"][0]["score"] > plain["candidates"][0]["score"]
    image = agreed["image"]
    assert image["counted"] == "confirmed"
    assert set(image["origins"]) == {"words", "measured", "image"}
    first = image["shares"][0]
    assert first["by_origin"]["image"] > 0
    assert [item["origin"] for item in agreed["findings"] if item["code"]["value"] == "pulmonary-nodule"] == [
        "image"
    ]
    assert "胸部CT" in [exam["display"] for exam in plain["exams"]]
    assert "胸部CT" not in [exam["display"] for exam in agreed["exams"]]


@pytest.mark.parametrize(
    "image",
    [
        {"nodules": [{"number": 0}]},
        {"nodules": [{"number": 1, "diameter_mm": -3}]},
        {"nodules": [{"number": 1, "probability": 0.9}]},
        {"nodules": [{"number": 1}] * 201},
        {"date": "yesterday"},
        {"nodules": 3},
    ],
)
def test_what_is_no_image_is_refused(client: httpx.Client, image: object) -> None:
    answer = client.post("/api/diagnose", json={**CASE, "image": image})
    assert answer.status_code == 422
    assert "咳嗽" not in answer.text


def test_the_explanation_reads_the_image_too(client: httpx.Client) -> None:
    body = {**CASE, "image": {"nodules": [{"number": 1, "confirmed": True}]}, "method": "permutation"}
    answer = client.post("/api/explain", json=body)
    assert answer.status_code == 200, answer.text
    assert "肺结节" in answer.text


def test_the_most_telling_nodule_counts_and_a_confirmed_one_settles_it(differential: Differential) -> None:
    seen = [Seen(1, 6.0, False, 3.0), Seen(2, 9.0, False, 12.0), Seen(3, 20.0, False, None)]
    (item,) = with_image(differential, None, seen).findings
    assert (item.state, item.value, item.origin) == ("unknown", 20.0, "image")
    assert item.probability == pytest.approx(12 / 13)
    (item,) = with_image(differential, None, [*seen, Seen(4, 5.0, True)]).findings
    assert (item.state, item.value, item.probability) == ("present", 5.0, None)
    earlier = with_image(differential, None, [Seen(1, 6.0, True)])
    again = with_image(differential, replace(earlier, events=()), [])
    assert again.findings == ()  # the newer image takes the older one's place
    assert [event.kind for event in again.events] == ["procedure"]
    assert isinstance(again, Record)


def test_a_number_that_no_nodule_has(differential: Differential) -> None:
    assert confirmed_numbers([2, 1], 2) == {1, 2}
    for wrong in ([3], [0], [-1]):
        with pytest.raises(InvalidInputError, match="there is no nodule"):
            confirmed_numbers(wrong, 2)
