"""What runs inside a job's processes: supervisor, runner, papermill engine, event spool.

Nothing here imports the platform; `supervisor.py` imports nothing but the standard library.
"""
