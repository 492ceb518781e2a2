"""What every source of mined examples shares: labels by name, masks, bounds, exclusion, and the tally.

A row that may be reported on is refused by its key before anything of it is read, its answer included; a text that
repeats a refused question elsewhere is refused too. Whatever is dropped is counted with its reason.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.graph.knowledge import Knowledge
from xinglin.terms.characters import normalise
from xinglin.terms.entries import Term
from xinglin.terms.matcher import Matcher
from xinglin.train.names import MASK, MASK_EN, DiseaseNames

Row = dict[str, Any]

LONGEST = 400
"""Most characters of one example."""
SHORTEST = 5
"""Fewest letters of one example beside its mask."""
RUN = 12
"""Characters of a run by which near repeats are found."""
REPEATED = 0.5
"""Share of a text's runs that makes it a repeat."""
_SPACE = re.compile(r"[ \t\u3000\xa0]+")
_IN_BRACKETS = re.compile(rf"({MASK}|{MASK_EN})\s*[(（]([^()（）]{{1,60}})[)）]")
_ABBREVIATION = re.compile(r"^[A-Za-z][A-Za-z0-9-]{1,7}$")
_END = re.compile(r"(?<=[。！？!?；;])|(?<=[.]) |\n")


@dataclass(frozen=True, slots=True)
class Weak:
    """One example taken from open text."""

    text: str
    disease: str
    """Chinese name in the graph."""
    origin: str
    """Name of the data set."""
    weak: bool
    """Whether the label was inferred from wording; ``False``: stated by the set as the diagnosis."""
    licence: str
    lang: str
    row: str
    """File and line, so that copies of a row stay on one side of a split."""
    templated: bool = False
    """Whether the text was rendered from coded fields."""


@dataclass(slots=True)
class Tally:
    """What was kept and what was dropped, and why."""

    kept: Counter[str] = field(default_factory=Counter)
    """Origin -> examples."""
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(origin, reason) -> rows or texts."""
    diseases: dict[str, set[str]] = field(default_factory=dict)
    """Origin -> diseases with an example."""

    def lines(self) -> list[str]:
        """The counts as text, one origin a line, then the reasons."""
        found = [f"{o}: {n} examples of {len(self.diseases[o])} diseases" for o, n in self.kept.most_common()]
        every = set().union(*self.diseases.values()) if self.diseases else set()
        found.append(f"all: {sum(self.kept.values())} examples of {len(every)} diseases")
        return found + [f"dropped, {o}: {reason}: {n}" for (o, reason), n in sorted(self.dropped.items())]


class Mining:
    """One run over the sets.

    Args:
        knowledge: the graph whose diseases are the labels.
        names: their names.
        exclude: whether a key (question, id) belongs to what is reported on.
        tally: takes the counts.
        synonyms: further exact English names, lower case -> disease.
        findings: the vocabulary; a weak example that tells none of them is dropped.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        names: DiseaseNames,
        exclude: Callable[[str], bool],
        tally: Tally,
        synonyms: dict[str, str] | None = None,
        findings: Iterable[Term] = (),
    ) -> None:
        self.knowledge, self.names, self.exclude, self.tally = knowledge, names, exclude, tally
        self._synonyms = synonyms or {}
        self._findings = Matcher(
            (normalise(spelling), term)
            for term in findings
            for spelling in (term.name, term.en, *term.aliases, *term.aliases_en)
        )
        self._more: dict[str, list[str]] = {}
        for name, disease in self._synonyms.items():
            self._more.setdefault(disease, []).append(name)
        self._refused: set[str] = set()
        self._refused_runs: set[str] = set()
        self._seen: set[str] = set()
        self._given: Counter[tuple[str, str]] = Counter()

    def refuse(self, texts: Iterable[str]) -> None:
        """Remember questions that are reported on: a text that repeats one is dropped wherever it stands."""
        for text in texts:
            self._refused.add(_core(text))
            self._refused_runs.update(runs(text))

    def refused(self, text: str) -> bool:
        """Whether a text repeats a question that is reported on, or shares half of its runs with such ones."""
        if _core(text) in self._refused:
            return True
        own = runs(text)
        return bool(own) and len(own & self._refused_runs) >= REPEATED * len(own)

    def rows(
        self, path: Path, origin: str, keys: tuple[str, ...] = (), have: tuple[str, ...] = ()
    ) -> Iterator[tuple[str, Row]]:
        """Yield (file and line, row) of the rows that may be used.

        Args:
            keys: fields by any of which a row may be excluded; a row without one of them is dropped.
            have: other fields that a row must have; nothing is ever reported by them.
        """
        if not path.is_file():
            self.tally.dropped[origin, f"file {path.name} is absent"] += 1
            return
        try:
            with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
                for number, line in enumerate(lines, 1):
                    row = _decoded(line)
                    if row is None:
                        self.tally.dropped[origin, "line is no JSON object"] += 1
                        continue
                    missing = [key for key in (*keys, *have) if not row.get(key) and row.get(key) != 0]
                    if missing:
                        self.tally.dropped[origin, f"row lacks {missing[0]}"] += 1
                        continue
                    if any(self.exclude(str(row[key])) or self.refused(str(row[key])) for key in keys):
                        self.tally.dropped[origin, "kept for reporting"] += 1
                        continue
                    yield f"{path.name}:{number}", row
        except (OSError, EOFError, zlib.error) as error:
            raise InvalidInputError(
                f"{path.name}: expected gzipped JSON lines; {error}: fetch it again"
            ) from None

    def every(self, path: Path) -> Iterator[tuple[str, Row]]:
        """Yield (file and line, row) of all rows, excluded ones too, to know what must not be repeated."""
        unbound = Mining(self.knowledge, self.names, lambda _: False, Tally())
        yield from unbound.rows(path, "")

    def label(self, name: str) -> str | None:
        """The disease that a name denotes: exactly, or as the one disease inside a longer name."""
        plain = name.replace("’", "'").strip(" .。,，;；")
        exact = self.names.exactly(plain) or self._synonyms.get(plain.lower())
        if exact:
            return exact
        named = self.names.named(plain)
        return named[0] if len(named) == 1 else None

    def exact(self, name: str) -> str | None:
        """The disease that is called exactly so."""
        plain = name.replace("’", "'").strip(" .。,，;；")
        return self.names.exactly(plain) or self._synonyms.get(plain.lower())

    def only(self, *texts: str) -> str | None:
        """The one disease that the texts name; ``None`` if they name none or several."""
        named: set[str] = set()
        for text in texts:
            named.update(self.names.named(text))
            if len(named) > 1:
                return None
        return named.pop() if named else None

    def examples(
        self,
        text: str,
        disease: str,
        origin: str,
        licence: str,
        row: str,
        *,
        weak: bool = True,
        lang: str = "zh",
        most: int = 10**9,
        also: Iterable[str] = (),
        templated: bool = False,
        copies: bool = False,
    ) -> Iterator[Weak]:
        """Yield the text with its label's names masked, within the bounds.

        Args:
            most: examples of one disease from this origin.
            also: further names to mask.
            copies: give a copy with the name masked and one with it removed, where it was named.
        """
        core = _core(text)
        if self.refused(text):
            self.tally.dropped[origin, "kept for reporting"] += 1
            return
        key = hashlib.sha256(core.encode()).hexdigest()
        if key in self._seen:
            self.tally.dropped[origin, "repeats another"] += 1
            return
        self._seen.add(key)
        mask = MASK if lang == "zh" else MASK_EN
        masks = (mask, "") if int(key[-4:], 16) % 2 else ("", mask)
        done: set[str] = set()
        for chosen in masks if copies else masks[:1]:
            if self._given[origin, disease] >= most:
                self.tally.dropped[origin, f"over {most} of its disease"] += 1
                return
            masked = _tidy(self._masked(text, disease, chosen, [*also, *self._more.get(disease, ())], lang))
            letters = sum(char.isalpha() for char in masked.replace(mask, ""))
            if letters < SHORTEST:
                self.tally.dropped[origin, "too short once masked"] += 1
            elif weak and not templated and not self._findings.all_matches(normalise(masked)):
                self.tally.dropped[origin, "tells no finding"] += 1
            elif self.names.leaks(masked, disease):
                self.tally.dropped[origin, "still names its disease"] += 1
            elif masked not in done:
                done.add(masked)
                self._given[origin, disease] += 1
                self.tally.kept[origin] += 1
                self.tally.diseases.setdefault(origin, set()).add(disease)
                yield Weak(masked, disease, origin, weak, licence, lang, row, templated)

    def _masked(self, text: str, disease: str, mask: str, also: Iterable[str], lang: str) -> str:
        shown = mask or (MASK if lang == "zh" else MASK_EN)
        for name in sorted(also, key=len, reverse=True):
            if len(name) > 3:
                text = re.sub(
                    rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])", shown, text, flags=re.IGNORECASE
                )
        text = self.names.masked(text, disease, shown)
        for match in list(_IN_BRACKETS.finditer(text)):
            inside = match.group(2).strip()
            text = text.replace(match.group(0), match.group(1))
            if _ABBREVIATION.match(inside) and len(inside) > 1:
                text = re.sub(rf"(?<![A-Za-z]){re.escape(inside)}(?![A-Za-z])", shown, text)
        return text if mask else text.replace(shown, "")


def pieces(text: str, longest: int = LONGEST) -> list[str]:
    """The text cut at sentence ends into pieces of at most ``longest`` characters."""
    found: list[str] = []
    piece = ""
    for sentence in _END.split(text):
        if not sentence:
            continue
        if len(piece) + len(sentence) + 1 > longest and piece:
            found.append(piece.strip())
            piece = ""
        if len(sentence) > longest:
            found += [sentence[at : at + longest] for at in range(0, len(sentence), longest)]
            continue
        piece += (" " if piece and piece[-1] in ".,;" else "") + sentence
    if piece.strip():
        found.append(piece.strip())
    return found


def runs(text: str) -> set[str]:
    """Every run of ``RUN`` letters and digits."""
    core = re.sub(r"\W+", "", text)
    return {core[at : at + RUN] for at in range(len(core) - RUN + 1)}


def _decoded(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _core(text: str) -> str:
    return re.sub(r"\W+", "", text)[:120]


def _tidy(text: str) -> str:
    text = re.sub(r"[(（]\s*[)）]", "", _SPACE.sub(" ", text))
    return text.strip(" \n,，、。;；:：")
