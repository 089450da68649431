"""Write the prices of a size as arrays: run as a script by `processes`, so that making them costs no side anything."""

import sys

import numpy as np
import ours
from rules import Size

if __name__ == "__main__":
    np.savez(sys.argv[2], **ours.inputs(Size.loads(sys.argv[1])))
