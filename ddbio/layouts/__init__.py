"""The layouts of exports: their folders, file names and manifests.

own         the manifest of exports by this program
native      exports by DynamoDB itself, as sources
native_out  an export in the layout of DynamoDB's exports
nested      exports in folders below a source
"""
