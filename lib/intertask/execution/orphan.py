"""What the process that runs are forked from imports first: it ends when its driver does, in midst of imports too."""

import os
import signal

from intertask.execution.lifeline import DRIVER, ENDING, end_with_parent

for _number in (*ENDING, signal.SIGINT):  # its driver and its children heed them, and need it to the end
    signal.signal(_number, signal.SIG_IGN)  # which its children inherit: Ctrl-C must not end one that just begins
end_with_parent(int(os.environ[DRIVER]))
