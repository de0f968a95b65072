"""The errors of this package.

Each message is one line, which says what is wrong with what, and how to correct it where that is
known: the command line prints it as it is.
"""

from __future__ import annotations


class BackboneError(ValueError):
    """A backbone that cannot be named, built, loaded or run.

    The base of all errors of this package.
    """


class UnknownBackbone(BackboneError):
    """No backbone of that name; the message gives the nearest names."""


class MissingWeights(BackboneError):
    """The weights are not on this machine; the message says how to get them."""


class TrainingFailed(BackboneError):
    """A training that ended without weights."""


class RegistrationError(BackboneError):
    """What cannot be registered, or not be used as it was: a backbone, a classifier, a data set."""
