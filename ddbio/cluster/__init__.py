"""The engine of many machines: seats on any machine join the hub of the driver and work its units.

engine          the engine: assigns units to seats, and those of a lost one again
roster          the seats of a job: they join, get units, report, leave, are lost
crew            the seats of one machine, each in a process of its own
hub             the driver's end of all connections
events          what seats do, for the thread that runs the job
attendant       what the hub's thread does for the present job
seat            joins a hub and works on its jobs
job_here        a job at a seat
link            a seat's end of its connection
mailbox         the messages that a seat has received
fencing         when a silent seat must stop, and when its units may go to others
fenced          the connections of a seat to DynamoDB
questions       `--limit` and `--max-errors` at a seat
door            connections until they have proved that they have the token
meeting         how a connection begins
handshake       the proofs that both ends have the same token
on_spark        the same engine with seats in the tasks of a Spark cluster
spark_session   the session of a command
token, tls      the token's file; certificates
frames          messages on a stream
messages        the messages
declared        values of declared types as bytes
declared_types  those types
travel          changes a job so that another machine can work it
machine         what a seat takes from its own machine
"""
