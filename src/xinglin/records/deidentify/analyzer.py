"""The recognisers as a presidio analyzer: one registry, no language model, nothing fetched.

Presidio (presidio-analyzer 2.2) brings the registry and the form of a recogniser, so that a hospital can add its own
(``recognisers=``: a deny list, a model of its own). Its predefined recognisers are not used: their ``\\b`` does not hold
beside Chinese characters, its e-mail check asks tldextract to fetch a list, and it has no Chinese ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from xinglin.errors import MissingExtraError
from xinglin.records.deidentify.contacts import find_contacts
from xinglin.records.deidentify.dates import find_dates
from xinglin.records.deidentify.fold import fold
from xinglin.records.deidentify.institutions import find_institutions
from xinglin.records.deidentify.labels import find_labelled
from xinglin.records.deidentify.names_en import again_english, find_english_names
from xinglin.records.deidentify.names_zh import again, find_names
from xinglin.records.deidentify.numbers import find_numbers
from xinglin.records.deidentify.places import find_places
from xinglin.records.deidentify.spans import Span, resolve

LANGUAGE = "zh"
"""Presidio asks for one language; every recogniser of ours reads Chinese and English in the same text."""
_FINDERS = {
    "numbers": (find_numbers, ("ID_NUMBER", "BANK_CARD", "SOCIAL_SECURITY", "INSURANCE", "PLATE")),
    "contacts": (find_contacts, ("PHONE", "EMAIL", "URL", "IP_ADDRESS", "SOCIAL_ACCOUNT")),
    "labels": (find_labelled, ("RECORD_NUMBER", "LICENSE", "DEVICE", "INSURANCE")),
    "dates": (find_dates, ("DATE", "AGE_OVER_89")),
    "places": (find_places, ("ADDRESS",)),
    "institutions": (find_institutions, ("INSTITUTION",)),
    "names_zh": (find_names, ("PERSON",)),
    "names_en": (find_english_names, ("PERSON",)),
}


def find_identifiers(
    text: str, *, names: Sequence[str] = (), recognisers: Iterable[Any] = ()
) -> tuple[Span, ...]:
    """Find identifiers in a text.

    Args:
        text: Chinese, English or both, at most what memory holds.
        names: names known to belong to this text (from the record's header), found wherever they stand.
        recognisers: further ``presidio_analyzer.EntityRecognizer`` for language ``zh``.

    Returns:
        Disjoint spans in order.

    Raises:
        MissingExtraError: presidio is not installed.
    """
    folded = fold(text)
    results = analyzer().analyze(folded, LANGUAGE, ad_hoc_recognizers=list(recognisers) or None)
    spans = [Span(r.start, r.end, r.entity_type, float(r.score)) for r in results]
    spans += _known(folded, names)
    whole = set(spans)
    people = [span for span in resolve(spans, folded) if span.entity == "PERSON" and span in whole]
    spans += [*again(folded, people), *again_english(folded, people)]
    return resolve(spans, folded)


def _known(folded: str, names: Sequence[str]) -> list[Span]:
    found = []
    for name in names:
        wanted = fold(name).strip()
        at = folded.find(wanted) if len(wanted) > 1 else -1
        while at >= 0:
            found.append(Span(at, at + len(wanted), "PERSON", 1.0))
            at = folded.find(wanted, at + len(wanted))
    return found


@cache
def analyzer() -> Any:
    """Return the ``AnalyzerEngine`` with our recognisers; built once, takes no model and no network."""
    try:
        from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
        from presidio_analyzer.nlp_engine import NoOpNlpEngine
    except ImportError as error:
        raise MissingExtraError("de-identification", "records") from error

    class Recogniser(EntityRecognizer):
        def __init__(self, name: str) -> None:
            self.find, entities = _FINDERS[name]
            super().__init__(supported_entities=list(entities), name=name, supported_language=LANGUAGE)

        def load(self) -> None:
            return

        def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:
            return [
                RecognizerResult(span.entity, span.start, span.end, span.score)
                for span in self.find(text)
                if span.entity in entities
            ]

    engine = NoOpNlpEngine([{"lang_code": LANGUAGE, "model_name": ""}])
    engine.load()
    registry = RecognizerRegistry(
        recognizers=[Recogniser(name) for name in _FINDERS], supported_languages=[LANGUAGE]
    )
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[LANGUAGE])
