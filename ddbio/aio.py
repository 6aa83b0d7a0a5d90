"""`ddbio.aio`: the library for programs with an event loop.

    import ddbio.aio
    result = await ddbio.aio.import_table(options)
    async for item in ddbio.aio.scan("Orders"):
        ...

See `ddbio.library.aio`.
"""

from ddbio.library.aio import count_items as count_items
from ddbio.library.aio import delete_items as delete_items
from ddbio.library.aio import export_table as export_table
from ddbio.library.aio import import_table as import_table
from ddbio.library.aio import put_items as put_items
from ddbio.library.aio import scan as scan
