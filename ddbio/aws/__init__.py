"""Access to AWS: the parts that DynamoDB and S3 share.

core         botocore's session
settings     region, profile and endpoints, as plain data
credentials  AWS keys as plain data, and their renewal
location     the region in which this machine is
tls          the certificates against which servers are verified
redaction    keeps secrets out of error messages and crash reports
"""
