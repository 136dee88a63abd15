"""Packages the suite; first generates the Python of its contracts from proto/, which is never committed."""

import shutil
from importlib.metadata import files
from pathlib import Path

from grpc_tools import protoc
from setuptools import find_namespace_packages, setup

PROTO = Path("proto")
GENERATED = Path("build/contracts")
FRESH = Path("build/contracts.new")


def installed(distribution: str, path: str) -> Path:
    [found] = [file for file in files(distribution) or [] if file.match(path)]
    return Path(str(found.locate()))


def generate(target: Path) -> None:
    google = installed("googleapis-common-protos", "google/type/date.proto").parents[2]
    well_known = installed("grpcio-tools", "grpc_tools/_proto/google/protobuf/any.proto").parents[2]
    options = [
        *(f"--proto_path={path}" for path in (PROTO, google, well_known)),
        f"--plugin={installed('mypy-protobuf', 'protoc-gen-mypy')}",
        f"--plugin={installed('mypy-protobuf', 'protoc-gen-mypy_grpc')}",
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_out=quiet:{target}",
        f"--mypy_grpc_out=quiet,only_async:{target}",
    ]
    if protoc.main(["protoc", *options, *sorted(str(path) for path in PROTO.rglob("*.proto"))]):
        raise SystemExit("protoc refused the contracts, see above")


# Generated aside: who imports the contracts meanwhile meets the old ones or the new ones, never half of them.
shutil.rmtree(FRESH, ignore_errors=True)
FRESH.mkdir(parents=True)
generate(FRESH)
shutil.rmtree(GENERATED, ignore_errors=True)
FRESH.rename(GENERATED)

contracts = find_namespace_packages(str(PROTO))
setup(
    packages=[*find_namespace_packages(include=["services*", "deploy*"]), *contracts],
    package_dir={name: str(GENERATED / name) for name in contracts if "." not in name},
)
