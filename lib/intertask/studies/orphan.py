"""What the process that runs are forked from imports first: it ends when its driver does, in midst of imports too."""

import os

from intertask.studies.lifeline import DRIVER, end_with_parent

end_with_parent(int(os.environ[DRIVER]))
