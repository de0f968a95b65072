"""Models that are named by their repository on the Hugging Face Hub, each with its own files.

What a model is stands in a configuration beside its weights. Nothing of a repository is ever run.
"""
