"""The interface of the local bulk loaders of CSV, on top of the import: programs that used them change one import.

    from ddbio.loaders import ThreadedDynamoDBLoader
    result = ThreadedDynamoDBLoader(table_name="Orders", region="us-east-1").load_csv("orders.csv")
    print(result.successful_writes, result.failed_writes, result.errors)

`AsyncDynamoDBLoader` is the same with `await`; `python -m ddbio.loaders --csv orders.csv --table Orders` is their
command. docs/migrating.md lists the differences. New programs use `ddbio.import_table`, which has a cap, other
formats and sources, types of columns and transforms.

config     the arguments of a loader, checked, and the result of a load
loader     the two classes
csv_file   the file of a load: whether it can be read, and its number of rows
load       one load: the import that it is, and its outcome as a result
wording    the loaders' own names in messages
child      a load in another process, so that an event loop never waits for it
command    `python -m ddbio.loaders`
"""

from ddbio.loaders.config import LoaderConfig, LoadResult
from ddbio.loaders.loader import AsyncDynamoDBLoader, ThreadedDynamoDBLoader

__all__ = ["AsyncDynamoDBLoader", "LoadResult", "LoaderConfig", "ThreadedDynamoDBLoader"]
