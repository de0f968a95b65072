"""The predictions of a run folder, put together again system by system."""
