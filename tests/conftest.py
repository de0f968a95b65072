"""What holds for all tests."""

import os

# Workers of pytest-xdist have it set to 80: what commands print would be folded, and texts that
# tests look for with it.
os.environ.pop("COLUMNS", None)
