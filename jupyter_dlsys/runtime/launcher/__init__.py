"""dlsys-launcher: the one part that runs as root, beside a platform that does not. It starts the
job of an attempt as the person who submitted it, and does nothing else. Standard library only.

    dlsys-launcher --root /var/lib/dlsys-jobs --account dlsys

It listens on a unix socket that only the platform's account can reach, and asks the kernel who is
at the other end (SO_PEERCRED). A connection brings one line of JSON and, with it, the descriptor
of the log that the job writes to:

    {"verb": "hello"}                                               -> {"launcher": …}
    {"verb": "start", "job": ID, "attempt": N, "user": NAME, "env": {…}, "limits": {…}}
                                     -> {"keeper": PID, "pid": PID, "memory": …, "processes": …}
    {"verb": "give-back", "job": ID, "attempt": N}                  -> {"given": true}
                                     or {"error": WORDS}

After `start` the connection stays: T ends the job politely, I interrupts it, K ends it by force,
D asks for its bytes on the disk (-> {"disk": N}); {"exit": CODE} is the last word. Whoever closes
it ends the job.

What it takes from the platform is a name, two numbers and an environment that only the job sees:
the program is fixed, the folder is looked up below a fixed root without following any link, and
the user has to be a person's account. So a platform that was broken into can do to people's
accounts what a submitted job can do, and nothing to root's.

`rules` (who may what) · `folders` (the attempt's folder, by descriptor) · `become` (the last steps
as root) · `keeper` (one process for each attempt: starts, watches, ends) · `__main__` (the socket)
"""
