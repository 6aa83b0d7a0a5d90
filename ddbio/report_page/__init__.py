"""The report of a job for people: one HTML file with charts. It needs the extra `report`.

history    the data that the page shows besides the report of a run, as the journal keeps it
thinning   keeps the samples of a job to a bounded number
figures    numbers to charts in SVG, by matplotlib
charts     which charts a job has, and their numbers
tables     the tables of the page
page       the page itself, from the template `page.html`
"""
