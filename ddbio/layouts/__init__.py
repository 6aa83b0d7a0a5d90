"""How the files of an export lie, and the manifests beside them.

own         the manifest of this program
native      exports by DynamoDB itself, as sources
native_out  an export in the layout of DynamoDB's own
nested      exports in folders below a source
"""
