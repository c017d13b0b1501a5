"""The process that watches one attempt of a job, and never anything else. Standard library only.

Files of the attempt folder (local disk):
    spec.json    see `Spec`; written by the platform, 0600
    lock         flock held by the supervisor for its whole life = "alive"
    pid          written before user code may start; once it exists and the lock is free,
                 this attempt may never run again
    pgid         "PGID BOOT_ID START_TIME COOKIE CGROUPS" of the user code, to find its orphans
    log          output of the job's process
    cancel       "please stop", see `jupyter_dlsys.contract.stopping`
    result.json  {"exit_code", "reason", "message", "finished_at"}: the verdict, always filled
    job/         what belongs to the job's own process and account; of it the supervisor reads
                 only job/error.json {"ename", "evalue", "cell", "message", "reason"?}

`files` (lock, verdict), `processes` (who belongs to the attempt), `account` (whose rights),
`limits` (memory, processes, disk), `remote` (a job that the launcher started), `attempt` (the life
of one attempt).
"""
