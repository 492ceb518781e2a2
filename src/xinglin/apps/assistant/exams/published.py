"""Published figures that stand beside ours, each with the part of the set that it was measured on.

None was measured on the part that we score: they say where the field stands, they are no reference of the same run.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """One accuracy of somebody else."""

    who: str
    accuracy: float
    """Share, 0 to 1."""
    on: str
    """The part of the set."""
    source: str


def _row(on: str, source: str, figures: dict[str, float]) -> tuple[Published, ...]:
    return tuple(Published(who, percent / 100, on, source) for who, percent in figures.items())


PUBLISHED: dict[str, tuple[Published, ...]] = {
    "cmexam": _row(
        "官方测试集 official test, 6,811",
        "arXiv 2306.03030",
        {"human volunteers": 71.6, "GPT-4": 61.6, "ChatGLM-6B fine-tuned": 45.3, "RoBERTa-CMExam": 37.1,
         "BERT-CMExam": 31.8, "LLaMA-7B": 0.4, "random (any set of letters)": 3.1},
    ),
    "pubmedqa": _row(
        "官方测试集 official test, 500",
        "github.com/pubmedqa/pubmedqa",
        {"human": 78.0, "majority": 55.2},
    ),
    "mmlu-medical": _row(
        "官方测试集 official test, 6 subjects",
        "arXiv 2403.03640, table 3",
        {"GPT-4": 86.0, "GPT-3.5": 72.94, "Apollo-7B": 71.86, "Qwen-7B": 53.22, "Apollo-0.5B": 45.87},
    ),
    "xmedbench": (
        *_row("MCMLE", "arXiv 2403.03640",
              {"Qwen-72B": 91.7, "Apollo-6B": 85.5, "Apollo-0.5B": 56.6, "Llama-2-7B": 25.4}),
        *_row("CMMLU-med", "arXiv 2403.03640",
              {"Qwen-72B": 81.5, "Apollo-6B": 72.6, "Apollo-0.5B": 42.1, "Llama-2-7B": 25.1}),
    ),
    "cnmleqa": _row(
        "全部 2,949 题 all items",
        "github.com/zonghui0228/CNMLEQA",
        {"DeepSeek-R1": 91.59, "Qwen2.5-32B": 91.29, "GPT-4o": 85.52, "Qwen2.5-3B": 72.36, "Llama-3-8B": 55.24},
    ),
}  # fmt: skip
