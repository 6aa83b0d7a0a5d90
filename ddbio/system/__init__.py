"""The machine and the process.

clock          a clock that a test moves
machine        the CPUs and open files that this process may use
scratch        temporary folders that are removed even if the run is killed
terminal       the standard streams, and their failures
user_function  the function of --transform: tested, then loaded
signals        delays Ctrl-C while modules load
stop           counts the user's requests to stop
"""
