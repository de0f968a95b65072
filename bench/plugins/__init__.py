"""What plugins register besides backbones: classifiers, data sets and reference points.

Users import all of it from `bench`: `from bench import register_classifier`.
"""
