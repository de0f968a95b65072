"""What users register under names of their own: where its code lies, and how it is found again.

Backbones, classifiers, data sets and reference points have a `Registry` each.
"""
