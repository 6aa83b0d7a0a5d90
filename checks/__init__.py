"""What must be true of the whole program, shown by running it; minutes each, and exit code 1 if it is not.

python -m checks.governor [CASE ...]    the cap, as the server sees it
python -m checks.chaos [--seeds N]      processes killed at random: nothing is lost, nothing reported in vain
python -m checks.scale                  large jobs in simulated time, to 256 workers
python -m checks.native [--seconds N]   the native core against the Python code, on damaged input
python -m checks.scale_seats            one cap over many machines in simulated time, to 500 seats

python -m checks.session                the session in docs/first-session.md, recorded
python -m checks.docs, checks.man       the parts of docs/ that come from the code, and the man page

`place` has the commands and the simulator that the cases of `governor` run; `disturbed` has the runs of `chaos`.
"""
