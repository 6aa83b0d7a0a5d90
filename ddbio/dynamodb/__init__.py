"""The service: the data plane by itself, everything around it by boto3.

session     the parent's: region, endpoint, credentials, descriptions of tables
provider    AWS keys as botocore's providers give them
endpoints   where botocore's rules send requests to
notices     what a user should know of a table before it is written or read
data_plane  what workers need of all that, as plain data, and the clients they make of it
client      sends one request until its fate is known: pacing, retries, counts
operations  requests as bytes, answers as structs
scan        the same of a Scan: pages, and counts without items
signing     the signature of a request
errors      what a refusal means, and whether to repeat the request
throttling  what a throttling error says
wire        what a client and its connection have in common
connection  HTTP/1.1 over one connection
addresses   which address of a name a connection goes to
proxy       the way through an HTTP proxy
fake        a connection without a network, for tests
"""
