"""How the files of an export lie, and the manifests beside them: what exports write and imports read.

own     this program's exports: `_manifest.json`
nested  exports below a folder, and which of them an import takes
native  DynamoDB's own exports to S3, and what `--native-layout` writes
"""
