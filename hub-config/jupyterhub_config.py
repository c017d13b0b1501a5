"""JupyterHub 6.1 with jupyter-dlsys. Who may do what: rights.py; what is different from place to
place: the variables below; how to install it: docs/hub.md.

    DLSYS_HUB_URL        where people come in              http://127.0.0.1:8000
    DLSYS_HUB_STATE      folder of the hub, 0700           .
    DLSYS_HUB_LOGIN      pam, native, or a class's path    pam
    DLSYS_HUB_SPAWNER    localprocess, systemd, …          localprocess
    DLSYS_HUB_ADMINS     hub administrators, a,b,c         none
    DLSYS_HUB_TLS_KEY, DLSYS_HUB_TLS_CERT                  none; see "The door"
    DLSYS_HOME           data folder of the platform       <state>/platform
    DLSYS_ACCOUNT        OS account that it runs as        dlsys
    DLSYS_PROJECTS_FILE  projects and their members        none; the demo has projects.yaml
    DLSYS_PLATFORM       managed: the hub starts it · external: a unit, with DLSYS_SERVICE_TOKEN ·
                         chart: Zero to JupyterHub has the rest, only rights come from here
    DLSYS_LAUNCHER       who starts jobs: helper, agent     agent in the demo; docs/training.md
    DLSYS_PLATFORM_URL   where it listens                  http://127.0.0.1:8901

Lists are extended, not set, so that this file can also be a part of another configuration.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from traitlets.log import get_logger

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import rights  # noqa: E402

c = get_config()  # type: ignore[name-defined] # noqa: F821
log = get_logger()
env = os.environ.get
DAY = 24 * 3600

DEMO = env("DLSYS_HUB_DEMO") == "1"
PLATFORM = env("DLSYS_PLATFORM", "managed")
URL = urlsplit(env("DLSYS_HUB_URL", "http://127.0.0.1:8000"))
STATE = Path(env("DLSYS_HUB_STATE", ".")).resolve()
PLATFORM_URL = env("DLSYS_PLATFORM_URL", "http://127.0.0.1:8901")
HUB_API = env("DLSYS_HUB_API", "http://127.0.0.1:8081")
LOGIN = env("DLSYS_HUB_LOGIN", "pam")
ROOT = os.geteuid() == 0


def refuse(why: str) -> NoReturn:
    """End the start with a sentence instead of a traceback."""
    sys.exit(f"jupyterhub_config.py: {why}")


def loopback(url: str) -> bool:
    """Whether only this machine reaches it."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def has_account(name: str) -> bool:
    """Whether the operating system knows the name."""
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False


# ---------------------------------------------------------------- Rights: always

PROJECTS = Path(env("DLSYS_PROJECTS_FILE", str(HERE / "projects.yaml"))).resolve()
if not (DEMO or env("DLSYS_PROJECTS_FILE")):
    refuse("DLSYS_PROJECTS_FILE is missing; projects.yaml has sample people, copy and change it.")
projects = rights.read_projects(PROJECTS)
c.JupyterHub.custom_scopes.update(rights.custom_scopes())
roles = rights.roles(projects)
if LOGIN == "pam" and PLATFORM != "chart" and not DEMO:
    for role in roles:  # the hub would not start because of a name without an account
        for name in [user for user in role.get("users", ()) if not has_account(user)]:
            log.warning("%s in %s has no account on this machine", name, PROJECTS.name)
            role["users"].remove(name)
c.JupyterHub.load_roles.extend(roles)
if env("DLSYS_HUB_GROUPS", "hub") == "hub":  # "login": the authenticator brings them along
    c.JupyterHub.load_groups.update({name: {} for name in rights.groups(projects)})

# Tokens that people make (the hub's token page, its API) end after 30 days at the latest. A
# server's token ends with its server, a login after 7 days, and a browser's right to enter its
# own server after a day; then the hub renews it unseen while the login holds.
c.JupyterHub.token_expires_in_max_seconds = int(env("DLSYS_HUB_TOKEN_SECONDS", str(30 * DAY)))
c.JupyterHub.cookie_max_age_days = 7
c.JupyterHub.oauth_token_expires_in = DAY

# What servers, kernels and terminals need to find the platform; the token is the server's own.
base = "/" + URL.path.strip("/") if URL.path.strip("/") else ""
address = env("DLSYS_PUBLIC_URL", f"{PLATFORM_URL}{base}/services/{rights.PLATFORM}")
# With the launcher `agent` the jobs of a person run in that person's server.
agent = {"DLSYS_AGENT": "1"} if env("DLSYS_LAUNCHER") == "agent" else {}
c.Spawner.environment.update({"DLSYS_URL": address, **agent})
c.Spawner.default_url = "/lab"
if PLATFORM != "chart":
    c.Spawner.cmd = [str(Path(sys.executable).with_name("jupyterhub-singleuser"))]
    c.Spawner.start_timeout, c.Spawner.http_timeout = 120, 60


# ---------------------------------------------------------------- The platform as a service


def account() -> dict[str, str]:
    """The unprivileged account that the platform runs as: `{"user": …}` for the service."""
    name = env("DLSYS_ACCOUNT", "dlsys")
    if DEMO or not ROOT:
        log.warning("The platform runs as the hub's own user: no account of its own here")
        return {}
    if not has_account(name):
        refuse(f"There is no account {name}: useradd --system --home /var/lib/{name} {name}")
    if pwd.getpwnam(name).pw_uid == 0:
        refuse("DLSYS_ACCOUNT is root; the platform must not be.")
    return {"user": name, "cwd": "/"}


OWN = ("DLSYS_HUB_", "DLSYS_PLATFORM", "DLSYS_SERVICE_TOKEN", "DLSYS_ACCOUNT", "DLSYS_PUBLIC_URL")


def passed_on() -> dict[str, str]:
    """Settings of the platform in the hub's environment; the hub's own stay here."""
    both = ("DLSYS_HUB_FRESH_SECONDS", "DLSYS_HUB_STALE_SECONDS")  # the platform's, by their name
    return {
        name: value
        for name, value in os.environ.items()
        if name in both or (name.startswith(("DLSYS_", "AWS_")) and not name.startswith(OWN))
    }


def platform() -> dict[str, object]:
    """The service: its routes are below /services/dlsys/, its page is the panel in Lab."""
    service = {"name": rights.PLATFORM, "url": PLATFORM_URL, "display": False}
    if PLATFORM == "external":
        token = env("DLSYS_SERVICE_TOKEN") or refuse("external: DLSYS_SERVICE_TOKEN is missing.")
        # people wait for the hub, and it for the platform; the proxy gets its address anyway
        return {**service, "api_token": token, "timeout": 5}
    home = env("DLSYS_HOME", str(STATE / "platform"))
    return {
        **service,
        **account(),
        "command": [sys.executable, "-m", "dlsys_server", "--home", home],
        "environment": {
            **passed_on(),
            "DLSYS_HOME": home,
            "DLSYS_IDENTITY": "hub",
            "DLSYS_PROJECTS_FILE": str(PROJECTS),
            "DLSYS_IDLE_SECONDS": "0",
        },
    }


# ---------------------------------------------------------------- The door: address, TLS, logins


def door() -> None:
    """Where people come in, and the files of the hub.

    TLS: give key and certificate here, or put a proxy with TLS in front and say so with
    DLSYS_HUB_BEHIND_TLS=1. Passwords and tokens never cross a network in the clear.
    DLSYS_HUB_SUBDOMAINS (https://hub.example.org): everybody's server gets a host name of its
    own. It is the only real wall between the JavaScript of two users; it needs a wildcard in DNS
    and in the certificate. Advised wherever people show each other notebooks.
    """
    key, certificate = env("DLSYS_HUB_TLS_KEY", ""), env("DLSYS_HUB_TLS_CERT", "")
    if not (loopback(URL.geturl()) or (key and certificate) or env("DLSYS_HUB_BEHIND_TLS") == "1"):
        refuse(f"{URL.geturl()} is open to a network without TLS: DLSYS_HUB_TLS_KEY, docs/hub.md.")
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    c.JupyterHub.bind_url = URL.geturl()
    c.JupyterHub.ssl_key, c.JupyterHub.ssl_cert = key, certificate
    c.JupyterHub.subdomain_host = env("DLSYS_HUB_SUBDOMAINS", "")
    c.JupyterHub.hub_bind_url = HUB_API
    c.JupyterHub.db_url = env("DLSYS_HUB_DATABASE", f"sqlite:///{STATE / 'hub.sqlite'}")
    c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
    c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")
    c.ConfigurableHTTPProxy.api_url = env("DLSYS_HUB_PROXY_API", "http://127.0.0.1:8001")
    c.ConfigurableHTTPProxy.command = env("DLSYS_HUB_PROXY", "configurable-http-proxy").split()


def logins() -> None:
    """PAM: accounts of this machine in the OS group `dlsys-users`. Native: sign-up, let in by an
    administrator. Administrators of the hub can do everything to it; a platform engineer cannot.
    """
    c.JupyterHub.authenticator_class = LOGIN
    c.Authenticator.admin_users = {name for name in env("DLSYS_HUB_ADMINS", "").split(",") if name}
    if LOGIN == "pam":
        c.LocalAuthenticator.allowed_groups = {env("DLSYS_HUB_OS_GROUP", "dlsys-users")}
    elif LOGIN == "native":
        c.Authenticator.allow_all = True  # of those whom an administrator has let in
        c.NativeAuthenticator.check_common_password = True
        c.NativeAuthenticator.minimum_password_length = 12
        c.NativeAuthenticator.allowed_failed_logins = 5
        c.NativeAuthenticator.seconds_before_next_try = 600


# ---------------------------------------------------------------- Servers of the users


def servers() -> None:
    """localprocess: each person an OS account, no limits. systemd: limits and walls as well."""
    kind = env("DLSYS_HUB_SPAWNER", "localprocess")
    if kind == "simple":
        refuse("The spawner `simple` runs everybody as one account; only the demo may.")
    c.JupyterHub.spawner_class = kind
    c.JupyterHub.cleanup_servers = False  # a restart of the hub ends nobody's work
    c.SystemdSpawner.mem_limit = env("DLSYS_HUB_MEMORY", "8G")
    c.SystemdSpawner.cpu_limit = float(env("DLSYS_HUB_CPUS", "4"))
    c.SystemdSpawner.isolate_tmp = True
    c.SystemdSpawner.isolate_devices = env("DLSYS_HUB_DEVICES") != "1"
    c.SystemdSpawner.disable_user_sudo = True
    c.SystemdSpawner.dynamic_users = LOGIN == "native"


def culling() -> None:
    """Servers that nobody uses end after DLSYS_HUB_IDLE_SECONDS (4 h). What counts as use:

    - requests through the proxy: an open Lab tab asks every few seconds and so keeps its server;
    - what the server itself reports: output of kernels, terminals, and, through our server
      extension, each kernel that is busy: a cell that computes silently for a night is work.
    Jobs and endpoints are the platform's and go on without the server of the one who made them.
    """
    idle = env("DLSYS_HUB_IDLE_SECONDS", str(4 * 3600))
    command = [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={idle}"]
    if setpriv := shutil.which("setpriv"):  # a hub that is killed starts another one
        command = [setpriv, "--pdeathsig", "TERM", *command]
    c.JupyterHub.services.append({"name": "idle-culler", "command": command})
    c.JupyterHub.load_roles.append(
        {
            "name": "idle-culler",
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
            "services": ["idle-culler"],
        }
    )


# ---------------------------------------------------------------- `make hub`


def demo() -> None:
    """Sample users with passwords, everybody's server as one account: never on a network."""
    for url in (URL.geturl(), HUB_API, PLATFORM_URL):
        if not loopback(url):
            refuse(f"The demo's users are for this machine only; {url} is not on 127.0.0.1.")
    import demo_users

    c.JupyterHub.authenticator_class = demo_users.SampleUsers
    c.SampleUsers.file = str(STATE / "users.json")
    c.Authenticator.allowed_users = set(demo_users.USERS)
    for group in rights.groups(projects):
        members = [name for name, groups in demo_users.USERS.items() if group in groups]
        c.JupyterHub.load_groups.update({group: {"users": members}})
    c.JupyterHub.spawner_class = "simple"
    c.JupyterHub.cleanup_servers = True
    c.SimpleLocalProcessSpawner.home_dir_template = str(STATE / "homes" / "{username}")
    c.Spawner.args = ["--allow-root"] if ROOT else []


if PLATFORM != "chart":
    c.JupyterHub.services.append(platform())
    door()
    culling()
    if DEMO:
        demo()
    else:
        logins()
        servers()
