"""`ddbio.aio`: the library for programs with an event loop.

    import ddbio.aio
    result = await ddbio.aio.import_table(options)
    async for item in ddbio.aio.scan("Orders"):
        ...

See `ddbio.library.aio`.
"""

from ddbio.library.aio import copy_table as copy_table
from ddbio.library.aio import count_items as count_items
from ddbio.library.aio import delete_from_table as delete_from_table
from ddbio.library.aio import delete_items as delete_items
from ddbio.library.aio import diff_tables as diff_tables
from ddbio.library.aio import export_table as export_table
from ddbio.library.aio import import_table as import_table
from ddbio.library.aio import inspect_table as inspect_table
from ddbio.library.aio import put_items as put_items
from ddbio.library.aio import revert_changes as revert_changes
from ddbio.library.aio import scan as scan
from ddbio.library.aio import sync_tables as sync_tables
from ddbio.library.aio import update_table as update_table
from ddbio.library.aio import verify_export as verify_export
