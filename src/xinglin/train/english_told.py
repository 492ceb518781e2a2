"""The English registers: a patient's message, a parent's, a doctor's line, a note, a vignette."""

from __future__ import annotations

import random
import re

from xinglin.train.durations import age_en, lasting_en
from xinglin.train.patients import Case
from xinglin.train.wording import Wording, Wordings

_HELLO = ("", "", "", "Hi, ", "Hello doctor, ", "Doctor, ", "Hi doc, ", "Hello, ", "Good morning. ")
_ASK = (
    *("", "", "", " What could this be?", " Should I be worried?", " What is wrong with me?", " Any advice?"),
    *(
        " Do I need to see someone?",
        " What tests do I need?",
        " Is this serious?",
        " Please help.",
        " Thanks.",
    ),
)
_IDLE = (
    *("I took some painkillers but it did not help.", "I am otherwise healthy.", "I work in an office."),
    *("No one else at home is ill.", "I have not seen a doctor yet.", "It has never happened before."),
    *("I live with my family.", "I am quite worried.", "I don't take any regular medicine."),
)
_LINKS = (", ", ", ", " and ", ". Also ", ", ", "; ", ", with ", " plus ", ". There is also ")
_PEOPLE = {
    "male": ("My husband", "My father", "My dad", "My brother", "My grandfather", "He"),
    "female": ("My wife", "My mother", "My mum", "My sister", "My grandmother", "She"),
}
_KIDS = {
    "male": ("My son", "My baby", "My child", "My little boy", "My kid", "Our toddler"),
    "female": ("My daughter", "My baby", "My child", "My little girl", "My kid", "Our toddler"),
}
_NORMAL = ("alert and oriented", "vital signs stable", "no acute distress", "afebrile", "well nourished")


class EnglishTold:
    """Renders cases in English.

    Args:
        wording: gives measured values.
        exams: finding -> English names of the examinations that show it.
    """

    def __init__(self, wording: Wording, exams: dict[str, tuple[str, ...]]) -> None:
        self._wording = wording
        self._exams = exams

    def patient(self, case: Case, dice: random.Random) -> str:
        """The patient's own message."""
        who = ""
        if dice.random() < 0.35:
            sex = dice.choice((case.sex, "man" if case.sex == "male" else "woman"))
            who = f"I'm a {age_en(case.age, dice)} {sex}. "
        begin = dice.choice(
            ("I've had {}", "I have {}", "For the past {span} I've had {}", "{}", "I keep having {}", "I've been having {}",
             "Lately I have {}", "It started {span} ago: {}", "{span} of {}", "I am suffering from {}")
        )  # fmt: skip
        return dice.choice(_HELLO) + who + self._talk(case, dice, begin)

    def parent(self, case: Case, dice: random.Random) -> str:
        """A parent who writes about a child, or someone about a relative."""
        who = dice.choice((_KIDS if case.child else _PEOPLE)[case.sex])
        if dice.random() < 0.6:
            who += f" ({age_en(case.age, dice)})"
        begin = who + dice.choice(
            (" has {}", " has had {} for {span}", ": {}", " has been having {}", " got {}")
        )
        return dice.choice(_HELLO) + self._talk(case, dice, begin)

    def telegram(self, case: Case, dice: random.Random) -> str:
        """One line, as a doctor types it: 58 yo man, chest pain for 3 days, ST depression on ECG."""
        sex = dice.choice(("man", "male", "M") if case.sex == "male" else ("woman", "female", "F"))
        age = int(case.age) if case.age >= 2 else None
        who = (
            f"{age}{dice.choice((' yo ', 'yo ', ' y/o ', '-year-old '))}{sex}"
            if age
            else age_en(case.age, dice)
        )
        words = self._words(case, dice, lay=False)
        words[0] += dice.choice((" for {}", " x {}", ", {}", " ({})", " over {}")).format(
            lasting_en(case.days, dice)
        )
        parts = [who, *words, *(self._result(test, case, dice) for test in case.tests)]
        if dice.random() < 0.4:
            parts += self._denials(case, dice)
        if dice.random() < 0.2:
            parts = parts[1:]
        return dice.choice((", ", ", ", "; ", ". ")).join(parts)

    def vignette(self, case: Case, dice: random.Random) -> str:
        """A vignette as in a textbook."""
        he = "He" if case.sex == "male" else "She"
        sex = {"male": ("man", "boy"), "female": ("woman", "girl")}[case.sex][case.child]
        words = self._words(case, dice, lay=False)
        first = dice.choice(
            ("A {} {} presents with {} of {}", "A {} {} comes to the clinic because of {} for {}",
             "A {} {} is brought to the emergency department with {} for {}", "A {} {} has had {} for {}")
        ).format(age_en(case.age, dice), sex, _listed(words[:2]), lasting_en(case.days, dice))  # fmt: skip
        text = first + "."
        if words[2:]:
            text += (
                f" {he} {dice.choice(('also reports', 'has', 'also has', 'describes'))} {_listed(words[2:])}."
            )
        denials = self._denials(case, dice)
        if denials:
            text += f" {he} {denials[0]}."
        if case.background:
            begin = dice.choice(("History of", "Past history:", "Relevant history:"))
            text += f" {begin} {self._word(case.background[0], dice)}."
        if case.tests:
            text += " " + ". ".join(_upper(self._result(test, case, dice)) for test in case.tests) + "."
        return text

    def note(self, case: Case, dice: random.Random) -> str:
        """A note with its headings."""
        words = self._words(case, dice, lay=False)
        chief = dice.choice(("CC", "Chief complaint", "Presenting complaint"))
        denials = ". ".join(_upper(denial) for denial in self._denials(case, dice))
        lines = [
            f"{chief}: {words[0]} x {lasting_en(case.days, dice)}",
            f"{dice.choice(('HPI', 'History'))}: {', '.join(words)}. {denials}",
        ]
        if case.background:
            lines.append(f"PMH: {', '.join(self._word(said, dice) for said in case.background)}")
        if dice.random() < 0.5:
            lines.append(f"Exam: {dice.choice(_NORMAL)}")
        if case.tests:
            lines.append(
                f"Investigations: {'; '.join(self._result(test, case, dice) for test in case.tests)}"
            )
        if dice.random() < 0.6:
            lines.insert(0, f"{age_en(case.age, dice)} {case.sex}")
        return dice.choice(("\n", "\n", ". ")).join(lines)

    def _talk(self, case: Case, dice: random.Random, begin: str) -> str:
        words = self._words(case, dice, lay=True)
        text = words[0]
        for word in words[1:]:
            text += dice.choice(_LINKS) + word
        span = lasting_en(case.days, dice)
        text = begin.replace("{}", text).replace("{span}", span)
        if span not in begin and "{span}" not in begin and dice.random() < 0.6:
            text += dice.choice((" for {}", " for about {}", " since {} ago", ", {} now")).format(span)
        text += dice.choice((".", ".", ".", " -")) + " "
        if dice.random() < 0.4:
            text += "".join(f"No {said.english[0]}. " for said in case.denied[:2])
        text += "".join(f"{_upper(self._result(test, case, dice))}. " for test in case.tests)
        if dice.random() < 0.3:
            text += dice.choice(_IDLE)
        text += dice.choice(_ASK)
        return text.lower() if dice.random() < 0.12 else text

    def _words(self, case: Case, dice: random.Random, *, lay: bool) -> list[str]:
        words = []
        for said in case.findings:
            value = None
            if not lay and said.group != "symptom" and dice.random() < 0.35:
                value = self._wording.value(said.term.name, case.age, case.sex, dice, "en")
            words.append(value or (dice.choice(said.lay_english) if lay else self._word(said, dice)))
        return words or [self._result(test, case, dice) for test in case.tests[:1]]

    @staticmethod
    def _word(said: Wordings, dice: random.Random) -> str:
        return said.english[0] if dice.random() < 0.5 else dice.choice(said.english)

    def _denials(self, case: Case, dice: random.Random) -> list[str]:
        denied = [said.english[0] for said in case.denied[: dice.randint(0, 3)]]
        if not denied:
            return []
        return [dice.choice(("denies {}", "has no {}", "reports no {}")).format(" or ".join(denied))]

    def _result(self, said: Wordings, case: Case, dice: random.Random) -> str:
        if said.term.kind == "lab" and dice.random() < 0.4:
            value = self._wording.value(said.term.name, case.age, case.sex, dice, "en")
            if value:
                return value
        exam = dice.choice(self._exams.get(said.term.name, ("test",)))
        frames = ("{exam} shows {}", "{exam}: {}", "{} on {exam}", "{}", "{exam} showed {}")
        word = self._word(said, dice)
        frame = "{}" if exam.lower() in word.lower() else dice.choice(frames)
        return frame.format(word, exam=exam)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def tidy(text: str) -> str:
    """Single spaces, no doubled marks."""
    text = re.sub(r"[ \t]+", " ", text)
    text = text.replace(" .", ".").replace(" ,", ",")
    return re.sub(r"([,.;:])[,.;]+", r"\1", text).strip()
