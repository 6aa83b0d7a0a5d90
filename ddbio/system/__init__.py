"""The machine and the process.

clock          a clock that a test moves
machine        what this process may use of the machine it runs on
scratch        temporary folders that a killed run does not leave behind for good
terminal       the standard streams, and what to do if they fail
user_function  the function of --transform: tried, then loaded
stop           how often the user asked to stop
"""
