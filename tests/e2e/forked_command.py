"""Is `python -m bench` in a fork of a process that has the large libraries; see `Forks`.

The fork runs this file with GIVEN: its arguments, folder and environment, and the files for its
standard output and error.
"""

import os
import runpy
import sys

arguments, folder, environment, printed = globals()["GIVEN"]
for number, file in enumerate(printed, 1):
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(opened, number)
    os.close(opened)
os.environ.clear()
os.environ.update(environment)
os.chdir(folder)
sys.path.insert(0, folder)
sys.argv = ["bench", *arguments]
runpy.run_module("bench", run_name="__main__", alter_sys=True)
