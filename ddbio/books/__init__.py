"""What a run may claim: the accounts, and what of them outlives it.

accounts  the books: what a run may claim
journal   the books on disk: what the same command goes on from
database  the SQLite file they are in
remains   the files of an unfinished job, found and removed without reading them
state     where they are kept: a folder for each job
others    other jobs that work on the same table at the moment
standstill  a job in which nothing succeeds says why
report    what a run came to, for programs
"""
