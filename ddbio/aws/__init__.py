"""How AWS is reached, as far as DynamoDB and S3 share it.

settings     region, profile and endpoints, as plain data
credentials  AWS keys as plain data, and who owns them
tls          which certificates servers are verified against
redaction    keeps secrets out of what is written about faults
"""
