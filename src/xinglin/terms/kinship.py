"""From a relative's disease to a family-history finding, from an old complaint to a history finding.

父亲死于心梗 -> 早发冠心病家族史, if the vocabulary spells such a finding; otherwise nothing is said of
the patient.
"""

from __future__ import annotations

from xinglin.terms.mention import Mention
from xinglin.terms.vocabulary import Term, Vocabulary

_FAMILY_PATTERNS = (
    "{}家族史", "家族{}史", "父亲{}", "母亲{}", "家人{}", "父母{}", "家里有人{}", "妈妈{}", "爸妈{}",
    "family history of {}",
    "father had {}", "mother had {}", "father died of {}", "parent with {}",
)  # fmt: skip
_HISTORY_PATTERNS = ("{}史", "{}病史", "得过{}", "以前{}", "history of {}")


def _names(term: Term) -> list[str]:
    names = [term.name, *term.aliases, term.en, *term.aliases_en]
    return names + [name[:-1] for name in names if name.endswith("史")]


def _spelled(
    names: list[str], patterns: tuple[str, ...], vocabulary: Vocabulary, kinds: set[str]
) -> Term | None:
    for name in names:
        for pattern in patterns:
            for term in vocabulary.spelled(pattern.format(name)):
                if term.kind in kinds:
                    return term
    return None


def family_finding(mention: Mention, vocabulary: Vocabulary) -> Term | None:
    """The family-history finding for a relative's finding or disease, if the vocabulary has one."""
    if mention.term.kind == "risk" and "家族史" in mention.term.name:
        return mention.term
    return _spelled(_names(mention.term), _FAMILY_PATTERNS, vocabulary, {"risk", "history"})


def own_history(mention: Mention, vocabulary: Vocabulary) -> Term | None:
    """The history finding for a complaint or disease of the past, if the vocabulary has one."""
    return _spelled(_names(mention.term), _HISTORY_PATTERNS, vocabulary, {"history"})
