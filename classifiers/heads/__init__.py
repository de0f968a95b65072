"""Classifiers by name that are no SVMs of the engine: the references, and estimators of others."""
