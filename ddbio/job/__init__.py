"""A run from its beginning to its end: its accounts, and the state it keeps for the next run.

spine       the story of every verb: check, plan, announce, run, settle, report
stages      a verb that is several jobs in a row
run         the beginning of a run: caller, tables, workers
side        one table of a run, with its account and its cap
small_work  whether it is done before a worker could have started
work        lets the engine work, and enters its reports
accounts    the counts that a run may claim
journal     the state from which the same command resumes
difference  how a command differs from the one that began the job
history     the course of a job: what its journal knows of it, and what outlives that
retention   how long finished jobs are kept
course      notes it in the journal
samples     takes samples of a run
opening     finds the journal of a job, and opens it
database    the SQLite file of the journal
remains     the files of an unfinished job, found and removed without reading them
state       the folder in which each job keeps them
invocation  the command line of a job, noted in its folder
listing     the jobs in the state folder as they are
others      other jobs that work on the same table at the moment
standstill  reports why nothing succeeds
rejects     the rejected records, from the first one to their destination
report      the result of a run, for programs
report_place  where it may be written
page        the page on a job, for people
journal_copy  a copy of a journal, to read it while it may be written
progress    the display during a run
live        a run at this moment: budgets, latencies, units at work
meter       how far a run is, and its speed in the last seconds
progress_text  both as text
kept_caps   the caps of a run while it works
cap_requests  requests for another cap, as files in the job's folder
log         the log of a run in a file
metrics     the metrics of a run for Prometheus
"""
