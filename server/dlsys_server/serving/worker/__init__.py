"""The model worker: a process that loads one model version and answers batches.

Nothing is imported here.
"""
