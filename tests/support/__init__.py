"""What several tests share. Nothing here is a test, and nothing here imports one.

Servers of other makers are in `tests.endpoints`. The map:

account           a simulated account without HTTP
browser           a real browser, Chromium without a window
certificates      certificate authorities and servers for TLS, made when needed
commands          the real commands as subprocesses
customize         code of a test inside a command
deviations        known deviations of the test servers from AWS
effort            how many examples property-based tests try
environment       the AWS environment of every test, and how it asks for a server
failing           a collaborator that fails at one step
fake_s3           a botocore S3 client in memory, failing on demand
free_loop         how long work keeps an event loop from other tasks
front             a TLS front and a proxy between a command and the service
items             items for whole transfers, written and compared without ddbio
loaded            the modules that a command loads
loops             event loops of a test's own
memory            files in memory
native_exports    exports by DynamoDB itself
peer              a scripted HTTP peer
places            places to run the storage contract against
price_api         the Price List API on a loopback port
provider          a provider of AWS credentials
screens           a terminal in memory, for what a user sees of a command
seats             seats that join a hub on this machine
service           a table behind the data plane's seam
simulated         an event loop in simulated time
spark             a Spark of its own version, with one session for many tests
strategies        hypothesis strategies for values and items
tables            tables as DescribeTable gives them
toy_job           a job without a network
transfers         transfers without a process of their own
wiretap           a botocore client without a network
"""
