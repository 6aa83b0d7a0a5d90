"""What a user can ask for.

options           what a user can ask of each verb
import_table      files into a table
export_table      a table into files
import_sources    the sources of an import: found, verified, each of a known format
export_files      the destination of an export
export_task       what an export gives to its engine
scan              what the verbs that scan a table have in common
count_items       the number of items of a table
create_table      the table that an import makes if there is none
columns           which columns the files of an export have
discover_columns  what attributes a table has
generate          test data, as fast as a disk takes it
datasets          the columns that test data is made of
iam_policy        the permissions that a command needs
"""
