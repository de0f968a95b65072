"""Checks that a plugin keeps the contract of a backbone; the command `plugin check`."""
