"""Secure aggregation: the coordinator learns the sum of the updates and no single one (SecAgg+, Bell et al. 2020).

The protocol is Flower's, which has it on its older interface only; here a round of it stands in for a plain one. What
is masked is the change of the weights, not the weights: SecAgg+ cuts every number to a range before it is turned into
an integer, and a weight beyond the range would be cut silently. A hospital whose change does not fit says so instead.

What it costs: no norm can be measured, no median taken, nobody's update refused for what it holds (``job`` refuses a job
that asks for both). The number of examples of each hospital is sent openly, as Flower sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.federate.asking import ask
from xinglin.federate.history import Answer
from xinglin.federate.job import Job
from xinglin.federate.wire import State, layout, text, to_record

if TYPE_CHECKING:
    from flwr.app import ArrayRecord, ConfigRecord, Context, Message
    from flwr.serverapp import Grid
