"""What the process that runs are forked from imports first: it ends when its driver does, in midst of imports too."""

import os
import signal

from intertask.studies.lifeline import DRIVER, ENDING, end_with_parent

for _number in ENDING:
    signal.signal(_number, signal.SIG_IGN)  # its driver and its children heed them, and need it to the end
end_with_parent(int(os.environ[DRIVER]))
