"""ddbio moves DynamoDB tables."""

__version__ = "0.1.0"
