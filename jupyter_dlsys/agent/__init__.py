"""The agent: runs the jobs of one person where that person's Jupyter server is.

It asks the platform for attempts, starts the same supervisor that the platform starts elsewhere,
and sends back what that writes. Its folder has what it must not forget:

    id                       who it is, for life
    lock                     held by the one agent of this folder
    attempts/JOB/N/          an attempt, laid out as on the platform

`loop` (asks, takes, forgets) · `attempt` (one attempt's life) · `mirror` (its files, by offset)
"""
