"""Changes a job so that it can be worked on another machine: nothing in it may depend on the machine of the driver.

- Paths of CA certificates, proxies and profiles are left out. A seat fills in those of its own machine.
- The file of the user's function travels with the job, and a seat keeps a copy until the job ends. The function can
  import libraries of the seat's machine, but no other file beside its own.
- A folder or file of the driver's machine is refused, unless all machines have the same file system.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from ddbio.aws.settings import AwsSettings
from ddbio.cluster.declared import Change
from ddbio.dynamodb.wire import Endpoint
from ddbio.engines.engine import check_place
from ddbio.errors import UsageError
from ddbio.sinks.updates import UpdateByFunction
from ddbio.steps.transform import TransformSpec


@dataclass
class Luggage:
    """Packs a job. shares_disk: whether all machines have the same files. files: content by path, after packing."""

    shares_disk: bool
    files: dict[str, bytes] = field(default_factory=dict)

    def changes(self) -> dict[type, Change]:
        """For `Declared.encode`. They raise UsageError."""
        return {
            Endpoint: lambda endpoint: replace(endpoint, ca_bundle=None, proxy_url=None),
            AwsSettings: lambda aws: replace(aws, profile=None),
            TransformSpec: self._pack_function,
            UpdateByFunction: self._pack_function,
            type(Path()): self._check_path,
        }

    def _pack_function(self, spec: Any) -> Any:
        path = spec.function.rpartition(":")[0] if spec.function else ""
        if path.endswith(".py"):
            try:
                self.files[path] = Path(path).read_bytes()
            except OSError as error:
                raise UsageError(f'--transform: "{path}" cannot be read: {error.strerror}') from None
        return spec

    def _check_path(self, path: PurePath) -> PurePath:
        if not self.shares_disk:
            check_place(str(path))
        return path


def unpacking(
    folder: Path, files: dict[str, bytes], *, profile: str | None, endpoint: Callable[[Endpoint], Endpoint]
) -> dict[type, Change]:
    """For `Declared.decode`: writes the files into the folder.

    profile: of this machine. endpoint: fills in this machine's certificates and proxy.
    """
    paths = {}
    for number, (path, content) in enumerate(files.items()):
        copy = folder / str(number) / PurePath(path).name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(content)
        paths[path] = str(copy)

    def unpack_function(spec: Any) -> Any:
        path, colon, name = spec.function.rpartition(":") if spec.function else ("", "", "")
        return replace(spec, function=f"{paths[path]}{colon}{name}") if path in paths else spec

    return {
        Endpoint: endpoint,
        AwsSettings: lambda aws: replace(aws, profile=profile),
        TransformSpec: unpack_function,
        UpdateByFunction: unpack_function,
    }
