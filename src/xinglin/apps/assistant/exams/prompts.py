"""What a model is shown: the question, its options, and worked examples from the train part. Published in docs/exams.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from xinglin.records.exams import LETTERS, VERDICTS, ExamItem

LONGEST_EXAMPLE = 1_500
"""Characters of an example's question and context; longer items are passed over."""
STOP = ("\n题目:", "\nQuestion:", "\nuser:")
"""Where a model without a chat template begins the next question by itself."""


def is_verdict(item: ExamItem) -> bool:
    """Whether the options are yes, no and maybe, which are asked for as words."""
    return item.options == VERDICTS


def question_text(item: ExamItem, *, options: bool = True) -> str:
    """Return context, question and, where asked for, the lettered options."""
    head = ("题目:" if item.chinese else "Question: ") + item.question
    before = [("资料:" if item.chinese else "Abstract: ") + item.context] if item.context else []
    listed = [
        f"{letter}. {text}" for letter, text in zip(item.letters, item.options, strict=True)
        if options and not is_verdict(item)
    ]  # fmt: skip
    return "\n".join([*before, head, *listed])


def answer_cue(item: ExamItem) -> str:
    """Return what stands before the answer."""
    return "答案:" if item.chinese else "Answer:"


def answer_text(item: ExamItem) -> str:
    """Return the right answer as the prompt asks for it: letters, or the word of a verdict."""
    return item.options[LETTERS.index(item.answer)] if is_verdict(item) else item.answer


def instruction(item: ExamItem) -> str:
    """Return what a chat model is told to do."""
    if is_verdict(item):
        return 'Answer the question from the abstract with yes, no or maybe. End with "Answer: yes", "Answer: no" or "Answer: maybe".'
    if item.chinese:
        return (
            "请回答下面的医学选择题。可能有一个或多个正确选项。最后一行只写“答案:”和选项字母,例如“答案:X”。"
        )
    return 'Answer the medical multiple-choice question. End with one line "Answer: " and the letter of the option.'


def messages(item: ExamItem, examples: Sequence[ExamItem]) -> list[Mapping[str, str]]:
    """Return an item as a conversation, the examples as turns before it."""
    told: list[Mapping[str, str]] = [{"role": "system", "content": instruction(item)}]
    for example in examples:
        told.append({"role": "user", "content": question_text(example)})
        told.append({"role": "assistant", "content": _answered(example)})
    return [*told, {"role": "user", "content": question_text(item)}]


def completion(item: ExamItem, examples: Sequence[ExamItem], *, options: bool = True) -> str:
    """Return an item as plain text that ends just before its answer.

    Args:
        item: what is asked.
        examples: worked before it.
        options: whether the options are listed; without them, an option's own text is what follows.
    """
    parts = []
    for example in examples:
        said = answer_text(example)
        if not options:
            said = "、".join(example.options[LETTERS.index(letter)] for letter in example.answer)
        parts.append(
            f"{question_text(example, options=options)}\n{answer_cue(example)}{_gap(example)}{said}\n\n"
        )
    return "".join(parts) + f"{question_text(item, options=options)}\n{answer_cue(item)}"


def continuations(item: ExamItem, *, options: bool = True) -> list[str]:
    """Return what is scored behind :func:`completion`: a letter an option, or an option's text."""
    texts = item.options if not options or is_verdict(item) else tuple(item.letters)
    return [_gap(item) + text for text in texts]


def worked_examples(train: Sequence[ExamItem], count: int) -> tuple[ExamItem, ...]:
    """Return the fixed examples of a set: by SHA-256 of the question, the right letters spread as evenly as may be.

    Items with several right options are passed over, and so are long ones.
    """
    fit = [
        item for item in sorted(train, key=lambda item: sha256(item.question.encode()).hexdigest())
        if len(item.answer) == 1 and len(item.question) + len(item.context) <= LONGEST_EXAMPLE
    ]  # fmt: skip
    chosen: list[ExamItem] = []
    while len(chosen) < min(count, len(fit)):
        used = {letter: sum(item.answer == letter for item in chosen) for letter in LETTERS}
        chosen.append(min((item for item in fit if item not in chosen), key=lambda item: used[item.answer]))
    return tuple(chosen)


def _answered(item: ExamItem) -> str:
    return f"{answer_cue(item)}{_gap(item)}{answer_text(item)}"


def _gap(item: ExamItem) -> str:
    """A space before an English word or letter, as words of English text have."""
    return "" if item.chinese else " "
