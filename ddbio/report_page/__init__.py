"""The report of a job for people: one HTML file with charts. It needs the extra `report`.

history    the data that the page shows besides the report of a run, as the journal keeps it
thinning   keeps the samples of a job to a bounded number
stages     the history of a job that is several jobs in a row
facts      the parts of a JSON report that the page shows
shapes     the two shapes of a chart, as plain numbers
charts     which charts a job has, and their numbers
figures    draws them in SVG, by matplotlib
outcome    the plan of a job beside its outcome
wording    numbers and times as texts
tables     the tables of the page
kind       how a page is recognised
page       the page itself, from `page.html` and `page.css`
"""
