"""Tests that a backbone keeps the contract; the command `plugin check`."""
