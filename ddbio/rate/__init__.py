"""The cap of capacity units per second, kept by all processes together.

caps        the cap of a run, and its origin
following   changes it while a run works: by the clock, and as the table changes
governor    one token bucket for all processes, in shared memory
buckets     the arithmetic of one budget
budgets     the same for all budgets of a job: a request starts in all of them at once
window      the cost of the last second's pages, for requests whose cost is known from their answer alone
grants      the source of a pacer's units: reservations with a governor of this machine, or leases
pacer       a worker's side of the governor: asks, sleeps, asks again
page_pacer  the same for pages
leases            one cap over many machines: units that the driver's governor leases to seats
leases_terms      the governor as a seat knows it
leases_lines      a seat's side for requests of known cost
leases_units      the same for those that need the same budgets
leases_pages      a seat's side for pages
leases_desk       the driver's side for requests of known cost, and the desks of all tables
leases_page_desk  the driver's side for pages
leases_seats      the driver's knowledge of its seats
latency     a histogram of the latencies of requests, by all processes
awaited     counts the requests without an answer yet: shows whether more connections would help
"""
