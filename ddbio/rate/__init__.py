"""The cap: what it is, and how it is kept by all processes together.

caps        what the cap is, and where it comes from
following   changes it while a run works: by the clock, and as the table changes
governor    one token bucket for all processes, in shared memory
buckets     its arithmetic
window      what the pages of the last second cost, for requests whose cost is known from their answer alone
pacer       a worker's side of it: asks, sleeps, asks again
page_pacer  the same for pages
awaited     the requests that have no answer yet: whether more connections would help
"""
