"""The verbs: import, export, copy, count, delete, update and generate, and the policies they need.

options           the options of each verb
import_table      files into a table
import_forecast   what it will need
put_items         items of a Python program into a table
export_table      a table into files
export_forecast   what it will need
import_sources    the sources of an import: found, verified, each of a known format
export_files      the destination of an export
export_assignment  the job that an export gives to its engine
scan              shared by the verbs that scan a table
forecasts         the figures that the plans of several verbs share
two_tables        shared by the verbs that have a second table
copy_table        the items of a table into another table
copy_forecast     what it will need
copy_plan         what the keys of the other table mean for a copy, and what it costs
count_items       the number of items of a table
diff              the differences between two tables, or a table and an export
sync              a table becomes equal to another one, or to an export
sync_source       whether the first side of a sync may be taken for the whole
verify_export     an export against its manifest, a table against an export
comparison        the stages of a comparison
comparison_forecast  what it will need
compared_sides    its sides
spill_side        its first stages: a side is read, and spilled to disk
compare_spills    its last stage: differences, read again
difference_output  the place of the differences
delete_items      the items that match a filter, or that files list, deleted
update_items      the items that match a filter, changed
delete_saved      the same after an export of the items
revert            the changes in incremental exports by DynamoDB undone
edit_forecast     what a delete or an update will need
edits             shared by the verbs that write to the items which they scan
selection         the items that an edit is for: its scan, and the condition of its writes
intent            how many items an edit will write, and whether there is a way back
create_table      the table that an import or a copy creates if it does not exist
inspect_table     sizes, attributes, keys and indexes of a table
sql               a query over a table
sql_files         a query over files
sql_query         the query itself, and its output
program_scan      the items of a table, for a Python program
find_items        the items that match a filter, on standard output
first_items       the result of a search that is written at its end
columns           the columns of an export's files
discover_columns  the attributes of a table's items
generate          test data, as fast as a disk can write it
datasets          the columns of test data
iam_policy        the permissions that a command needs
other_ways        what decides which other ways a job has
diagnosis         what would keep a command from working on this machine
"""
