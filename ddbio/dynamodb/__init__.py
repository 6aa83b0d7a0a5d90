"""The service: the data plane by itself, everything around it by botocore.

session     the parent's: region, endpoint, credentials, descriptions of tables
direct      access that the options and the environment name completely, without botocore
botocore_access  any other access
boto_values  attribute values between JSON and botocore
translation  botocore exceptions as those of ddbio
provider    AWS keys as botocore's providers give them
endpoints   the address of requests, by botocore's rules
notices     warnings about a table before it is written or read
data_plane  all that workers need to reach a table, as plain data, and the clients made from it
client      sends one request until its fate is known: pacing, retries, counts
operations  requests as bytes, answers as structs
batch_get   the same of reads of items by their keys
scan        the same of a Scan: pages, and counts without items
signing     the signature of a request
errors      the meaning of a refusal, and whether to repeat the request
throttling  the reasons in a throttling error
wire        the seam between a client and its connection
connection  HTTP/1.1 over one connection
addresses   which address of a name a connection goes to
proxy       the way through an HTTP proxy
fake        a connection without a network, for tests
"""
