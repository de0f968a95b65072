"""The errors of this package. Every message is one line."""

from __future__ import annotations


class BackboneError(ValueError):
    """A backbone that cannot be named, built, loaded or run. The message is one line."""


class UnknownBackbone(BackboneError):
    """No backbone of that name; the message gives the nearest names."""


class MissingWeights(BackboneError):
    """The weights are not on this machine; the message says how to get them."""
