"""Carries a plan out: features, trainings, fits and explanations, kept in the store."""
