"""JSON that is not one object a line: arrays, objects over several lines, answers of Scan and Query, requests.

`detect` says from the first bytes of a file which of these it is, `Scanner` finds its records. Each record is then
one of the format `json`, `dynamodb-json` or `write-requests`, like any other.
"""

from ddbio.formats.documents.layout import DocumentLayout
from ddbio.formats.documents.records import Fault, Records
from ddbio.formats.documents.scanner import Scanner

__all__ = ["DocumentLayout", "Fault", "Records", "Scanner"]
