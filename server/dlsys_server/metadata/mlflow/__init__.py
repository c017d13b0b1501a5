"""MLflow as a component of the platform: a supervised child behind our policy and our proxy.

Only `app`, `auth`, `migrate` and `__main__` import the ``mlflow`` package, and only inside the
child process:
the platform talks to the child over a unix socket (`client`, `proxy`) and never pays for that
import.
"""
