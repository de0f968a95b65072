"""Pure functions of arrays: measures, intervals, curves and tests."""
