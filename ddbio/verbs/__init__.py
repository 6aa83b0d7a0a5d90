"""What a user can ask for.

import_table      files into a table
export_table      a table into files
create_table      the table that an import makes if there is none
columns           which columns the files of an export have
discover_columns  what attributes a table has
generate          test data, as fast as a disk takes it
datasets          the columns that test data is made of
iam_policy        the permissions that a command needs
"""
