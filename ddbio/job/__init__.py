"""A run from its beginning to its end: what it may claim, and what outlives it.

spine       the story of every verb: check, plan, announce, run, settle, report
run         what a run begins with: caller, table, cap, workers
work        lets the engine work, and enters what it reports
accounts    what a run may claim
journal     what the same command resumes from
opening     finds the journal of a job, and opens it
database    the SQLite file of the journal
remains     the files of an unfinished job, found and removed without reading them
state       where they are kept: a folder for each job
others      other jobs that work on the same table at the moment
standstill  a job in which nothing succeeds says why
rejects     the rejected records, from the first one to their place
report      the result of a run, for programs
progress    what is shown while it works
"""
