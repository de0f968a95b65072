"""Backbones of other libraries: what they publish, where weights lie, and how each is built."""
