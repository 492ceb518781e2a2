"""One tree of errors. Each message says what was expected, what came, and what to do."""

from __future__ import annotations


class XinglinError(Exception):
    """Base of every error this package raises on purpose."""

    status = 400
    """HTTP status under which the error leaves the API."""
    title = "request could not be answered"


class InvalidInputError(XinglinError, ValueError):
    """Input from outside cannot be read as what it claims to be."""

    title = "input cannot be read"
    status = 422


class InputTooLargeError(InvalidInputError):
    """Input exceeds a stated bound."""

    title = "input too large"
    status = 413


class VocabularyError(XinglinError, ValueError):
    """A vocabulary or graph file breaks its schema."""

    title = "vocabulary or graph file is inconsistent"


class UnknownNameError(XinglinError, LookupError):
    """A name is not known; the message lists the nearest ones."""

    title = "unknown name"
    status = 404


class MissingExtraError(XinglinError, ImportError):
    """A door needs an optional dependency that is not installed."""

    title = "an optional part is not installed"
    status = 501

    def __init__(self, door: str, extra: str) -> None:
        super().__init__(f'{door} needs an optional part. Run: pip install "xinglin[{extra}]"')
        self.extra = extra


class MissingProgramError(XinglinError):
    """A door needs a program of the system that is not there."""

    title = "a program is not installed"
    status = 501


class DeviceError(XinglinError):
    """A device is not there, does not do what it says, or computes wrong: nothing runs elsewhere in its stead."""

    title = "device refused"
    status = 501


class NotPlacedError(DeviceError):
    """A device takes no node of a model: all of it would run on the CPU."""


class MissingDataError(XinglinError, FileNotFoundError):
    """A file or data set is absent."""

    title = "data are absent"
    status = 404


class ChainBrokenError(XinglinError):
    """The ledger's hash chain does not verify."""

    title = "ledger chain is broken"
    status = 500


class ClockError(XinglinError):
    """The clock runs backwards: nothing is dated before what was written already."""

    title = "clock runs backwards"
    status = 409


class StoreError(XinglinError):
    """The database refuses or is unreachable."""

    title = "store unavailable"
    status = 503


class OnChainError(XinglinError):
    """The chain's node is unreachable, or did not take up a transaction in time."""

    title = "chain unavailable"
    status = 503


class ConflictError(XinglinError):
    """What is asked no longer fits what has happened meanwhile, e.g. a lease that was taken over."""

    title = "overtaken by another act"
    status = 409


class BusyError(XinglinError):
    """More is asked at once than is kept waiting, or the service is stopping."""

    title = "too busy"
    status = 503


class AccessError(XinglinError):
    """Login is needed, wrong, or too frequent."""

    title = "access refused"
    status = 401


class NotPermittedError(XinglinError):
    """No grant or no consent covers the purpose, or it has been revoked, withdrawn or has expired."""

    title = "not permitted"
    status = 403


class ConfigurationError(XinglinError, ValueError):
    """A setting is wrong or unsafe."""

    title = "configuration refused"
    status = 500


class CheckpointError(XinglinError):
    """A checkpoint is damaged, incomplete or not what it claims to be."""

    title = "checkpoint refused"
    status = 500


class TrainingError(XinglinError):
    """A training run cannot go on: the loss is not finite, the disk is full, the run does not match its folder."""

    title = "training stopped"
    status = 500


class CertificateError(XinglinError):
    """An audit does not carry the claim, or a certificate is not what it says: nothing is certified."""

    title = "not certified"
    status = 409


class BudgetExceededError(XinglinError):
    """A round would spend more privacy than is left: nothing is trained."""

    title = "privacy budget exceeded"
    status = 409

    def __init__(self, message: str, *, spent: float, asked: float, total: float, limit: float) -> None:
        super().__init__(message)
        self.spent = spent
        """Epsilon so far."""
        self.asked = asked
        """Epsilon of what was asked for, alone."""
        self.total = total
        """Epsilon had it been granted; less than the sum of the two, since composition is not a sum."""
        self.limit = limit


class NotTrainedError(TrainingError):
    """Weights that were to be trained did not change, or others did."""

    title = "not trained as asked"


class DockingError(XinglinError):
    """A ligand could not be docked: an error in the table, never a score."""

    title = "docking failed"


class ControlledSubstanceError(XinglinError):
    """A structure falls under a chemical-weapon or controlled-drug schedule: nothing is designed from it."""

    title = "controlled substance"
    status = 451


class GateClosedError(XinglinError):
    """A version misses a threshold: it is not released."""

    title = "gate closed"
    status = 409


class PluginError(XinglinError):
    """An installed plugin cannot be used, or failed; the message names it and its distribution."""

    title = "plugin failed"
    status = 500
