"""The engines that are measured side by side: each is filled, then asked for its best five."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rapidfuzz import fuzz, process

from deploy.embedded import ports
from ppo.person.v1 import person_pb2
from services.console import output
from services.console.bench import bare
from services.people import names
from services.people.index import Index
from services.people.model import MODEL, Model

FIVE = 5

Held = Sequence[tuple[str, person_pb2.Person]]
# The nominal ids and scores of the best, best first.
Ask = Callable[[person_pb2.Person], list[tuple[str, float]]]
Engine = Callable[[Held], AbstractContextManager[Ask]]

_DEBIAN = "/usr/lib/postgresql"


@contextmanager
def ppo(held: Held, weights: Model = MODEL) -> Iterator[Ask]:
    index = Index(weights)
    for nominal_id, person in held:
        index.put(nominal_id, person)
    # Sorts everything in, which the first question would wait for.
    index.matches(held[0][1], FIVE)
    yield asking(index)


def asking(index: Index) -> Ask:
    return lambda person: [(match.nominal_id, match.bits) for match in index.matches(person, FIVE)]


@contextmanager
def rapidfuzz(held: Held) -> Iterator[Ask]:
    lines = {nominal_id: line(person) for nominal_id, person in held}

    def ask(person: person_pb2.Person) -> list[tuple[str, float]]:
        found = process.extract(line(person), lines, scorer=fuzz.ratio, limit=FIVE)
        return [(nominal_id, score) for _, score, nominal_id in found]

    yield ask


@contextmanager
def pg_trgm(url: str, held: Held) -> Iterator[Ask]:
    with bare.connection(url) as server:
        server.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        server.execute("CREATE TEMP TABLE held (nominal_id text, line text)")
        with server.cursor().copy("COPY held FROM STDIN") as copy:
            for nominal_id, person in held:
                copy.write_row((nominal_id, line(person)))
        server.execute("CREATE INDEX ON held USING gist (line gist_trgm_ops(siglen=32))")
        server.execute("ANALYZE held")
        scored = "SELECT nominal_id, similarity(line, %(line)s) FROM held"
        query = f"{scored} ORDER BY line <-> %(line)s LIMIT %(five)s"

        def ask(person: person_pb2.Person) -> list[tuple[str, float]]:
            found = server.execute(query, {"line": line(person), "five": FIVE})
            return [(str(nominal_id), float(str(score))) for nominal_id, score in found]

        yield ask


@contextmanager
def chosen(wanted: Sequence[str], url: str) -> Iterator[dict[str, Engine]]:
    """Those of the wanted that can run here, by name."""
    ours: dict[str, Engine] = {"ppo": ppo, "rapidfuzz": rapidfuzz}
    found = {name: engine for name, engine in ours.items() if name in wanted}
    if "pg_trgm" not in wanted:
        yield found
    elif url:
        yield {**found, "pg_trgm": partial(pg_trgm, url)}
    elif binaries := _debian():
        with _server(binaries) as server:
            yield {**found, "pg_trgm": partial(pg_trgm, server)}
    else:
        output.say(f"pg_trgm is left out: no PPO_BENCH_POSTGRES, and nothing of Debian's in {_DEBIAN}")
        yield found


def line(person: person_pb2.Person) -> str:
    born = person.birth_date
    date = f"{born.year:04d}{born.month:02d}{born.day:02d}" if born.year else ""
    return f"{names.normal(person.name.given_name)} {names.normal(person.name.family_name)} {date}"


def _debian() -> Path | None:
    found = sorted(Path(_DEBIAN).glob("*/bin/initdb"), key=lambda each: int(each.parts[-3]))
    extension = found and (Path("/usr/share/postgresql") / found[-1].parts[-3] / "extension/pg_trgm.control")
    return found[-1].parent if extension and extension.exists() else None


@contextmanager
def _server(binaries: Path) -> Iterator[str]:
    """A cluster of its own on loopback; where we are root, the package's own user runs it."""
    with TemporaryDirectory(prefix="ppo-bench-") as home:
        as_user = ["runuser", "-u", "postgres", "--"] if _root() else []
        if as_user:
            shutil.chown(home, "postgres")
        port, data = ports.free(), Path(home) / "data"
        run = partial(subprocess.run, check=True, cwd=home, stdout=subprocess.DEVNULL)
        run([*as_user, binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"])
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        memory = "-c shared_buffers=1GB -c maintenance_work_mem=1GB -c temp_buffers=1GB"
        log = Path(home) / "log"
        control = [*as_user, binaries / "pg_ctl", "-D", data, "-w", "-l", log]
        run([*control, "-o", f"{settings} {memory}", "start"])
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            run([*control, "-m", "immediate", "stop"])


def _root() -> bool:
    return Path.home() == Path("/root")
