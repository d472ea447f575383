"""A program: runs the command that it is given as somebody whom the rights of files bind. A superuser gives up those to
pass over them (capabilities(7)) and stays who they are otherwise: what is installed may be closed to anybody else."""

import ctypes
import os
import sys

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER = 1, 2, 3

if __name__ == "__main__":
    if os.geteuid() == 0:
        system = ctypes.CDLL(None, use_errno=True)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER):
            if system.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "the superuser's rights cannot be given up")
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 -- no shell is wanted
