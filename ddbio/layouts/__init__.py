"""The layouts of exports, their folders, file names and manifests, and of the spill of a comparison.

own         the manifest of exports by this program
native      exports by DynamoDB itself, as sources
native_out  an export in the layout of DynamoDB's exports
spill       the digests of a table on disk, for a comparison
nested      exports in folders below a source
"""
