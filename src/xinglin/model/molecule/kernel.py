"""How alike two molecules are: one positive definite kernel of fragments and descriptors.

The mean of five kernels with equal weight: the MinMax (counted Tanimoto) kernel of each fragment family, which Ralaivola
et al. 2005 (doi 10.1016/j.neunet.2005.07.009) show to be positive definite, and a Gaussian kernel of scaled descriptors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from xinglin.model.molecule.features import Features

Floats = NDArray[np.float32]
MOST_ALIKE = 8
"""Occurrences of a fragment beyond which no difference is made."""
CLIP = 4.0
"""Standard deviations at which a descriptor is cut: one wild value must not make a molecule unlike all others."""
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class DescriptorScale:
    """Places and widths of the descriptors, and the length at which two molecules count as alike."""

    mean: Floats
    deviation: Floats
    length: float
    """Squared distance at which the Gaussian kernel has fallen to 1/e."""

    @classmethod
    def of(cls, features: Features) -> DescriptorScale:
        """Return the scale of a training table; the length is half its median squared distance.

        The median is over evenly spaced rows, at most 1,000.
        """
        known = np.nan_to_num(features.descriptors)
        mean, deviation = known.mean(axis=0), known.std(axis=0) + 1e-6
        scale = cls(mean.astype(np.float32), deviation.astype(np.float32), 1.0)
        rows = np.linspace(0, len(known) - 1, min(len(known), 1000)).astype(np.int64)
        some = scale.apply(features.descriptors[rows])
        distances = _squared(some, some)
        positive = distances[distances > 1e-6]
        return cls(scale.mean, scale.deviation, float(np.median(positive)) / 2 if len(positive) else 1.0)

    def apply(self, descriptors: Floats) -> Floats:
        """Return descriptors in standard deviations, cut at ``CLIP``; unknown ones become 0 before scaling."""
        scaled = (np.nan_to_num(descriptors) - self.mean) / self.deviation
        return np.asarray(np.clip(scaled, -CLIP, CLIP), np.float32)


@dataclass(frozen=True, slots=True)
class Similarity:
    """Kernel values between two lists of molecules."""

    fragments: Floats
    """Mean MinMax kernel of the four families, in [0, 1]."""
    whole: Floats
    """Mean of all five kernels, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Written:
    """Counts of one family written as ones, ready to be compared with: a count c as c ones, so that the sum of minima is a
    product of sparse matrices."""

    ones: csr_matrix
    """Shape (MOST_ALIKE * width, molecules)."""
    sums: Floats
    """Shape (molecules,)."""

    @classmethod
    def of(cls, counts: csr_matrix) -> Written:
        """Return a table of counts, shape (molecules, width), written so."""
        ones = _unary(counts)
        return cls(ones.T.tocsr(), np.asarray(ones.sum(axis=1), np.float32).reshape(-1))


def similarity(
    left: Features, right: Features, scale: DescriptorScale, written: Sequence[Written] | None = None
) -> Similarity:
    """Return the kernel between molecules, each part of shape (left, right), float32.

    Args:
        left: molecules.
        right: others.
        scale: of the descriptors.
        written: the families of ``right`` as :meth:`Written.of` makes them, where they are kept.
    """
    fragments = np.zeros((len(left), len(right)), np.float32)
    for ours, theirs in zip(left.counts, written or [Written.of(one) for one in right.counts], strict=True):
        fragments += minmax(ours, theirs)
    a, b = scale.apply(left.descriptors), scale.apply(right.descriptors)
    gaussian = np.exp(-_squared(a, b) / np.float32(scale.length))
    families = len(left.counts)
    both = ((fragments + gaussian) / (families + 1)).astype(np.float32)
    return Similarity((fragments / families).astype(np.float32), both)


def minmax(left: csr_matrix, right: Written) -> Floats:
    """Return sum of minima over sum of maxima of two tables of counts, shape (left, right), in [0, 1].

    Two molecules without any fragment are not alike (0).
    """
    ones = _unary(left)
    sums = np.asarray(ones.sum(axis=1), np.float32).reshape(-1, 1)
    found = np.empty((left.shape[0], len(right.sums)), np.float32)
    for start in range(0, left.shape[0], _BLOCK):
        part = slice(start, start + _BLOCK)
        shared = (ones[part] @ right.ones).toarray()
        found[part] = shared / np.maximum(sums[part] + right.sums - shared, 1.0)
    return found


def _unary(counts: csr_matrix) -> csr_matrix:
    levels = [(counts >= level).astype(np.float32) for level in range(1, MOST_ALIKE + 1)]
    return hstack(levels, format="csr")


def _squared(a: Floats, b: Floats) -> Floats:
    left, right = (a**2).sum(axis=1), (b**2).sum(axis=1)
    return np.asarray(np.maximum(left[:, None] + right[None, :] - 2 * (a @ b.T), 0.0), np.float32)
