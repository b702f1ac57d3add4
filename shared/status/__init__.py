"""The status of a cluster: its gateway's retained messages in, a report for people and programs out."""
