"""The sentences of a report: answers, methods and references."""
