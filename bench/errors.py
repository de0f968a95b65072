"""The one exception that means: this input cannot be used, and here is the line that says why."""


class UnusableInput(Exception):
    """Input or configuration that cannot be used.

    The message is one line that names the file (or option) and the reason. The command line prints
    it without a traceback and ends with status 2.
    """
