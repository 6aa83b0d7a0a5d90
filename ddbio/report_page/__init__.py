"""The report of a job for people: one HTML file with charts. It needs the extra `report`.

history    the data that the page shows besides the report of a run, as the journal keeps it
thinning   keeps the samples of a job to a bounded number
"""
