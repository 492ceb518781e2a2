"""What can be set about a quality report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class QualityOptions:
    """Settings of a report; each has a value that suits most sets."""

    today: date | None = None
    """Dates after this day lie in the future; ``None``: today."""
    tolerances: Mapping[str, float] = field(default_factory=dict)
    """Rule id -> share from which it has failed; a rule that is only told becomes one that can fail."""
    near_duplicates: bool = True
    """Compare the texts with each other; the costliest part of the report."""
    near_threshold: float = 0.8
    """Jaccard index of character 3-grams from which two texts are near-duplicates."""
    read_texts: int = 300
    """Texts of the sample in which findings are read; 0: none."""
    site_sample: int = 2000
    """Numbers and texts kept a site and field for the tests of drift."""
    alpha: float = 0.05
    """Chance of one false alarm in all tests of drift together (Holm)."""
    least_drift: float = 0.1
    """A drift is worth telling when the lower end of its interval reaches this: PSI, or Kolmogorov-Smirnov's D."""
    least_group: int = 30
    """Fewer records than these make a group too small: a share of one half is then uncertain by 17 points."""
    examples: int = 5
    """Record ids told for each finding."""
    seed: int = 0
    """Of the samples and intervals."""
