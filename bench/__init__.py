"""Decides what runs, in what order, and where results lie."""
