"""The secrets of a local installation, generated once and kept in a file that only its owner can read."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from strandline.errors import UsageError


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the local servers are started with; no `repr` shows a secret.

    `access_key_id`, `secret_access_key`: the one S3 identity. `signing_key`: of tokens inside the S3 server and
    Airflow. `fernet_key`: Airflow's stored connections. `protection_key`: of protected fields, 32 bytes in hexadecimal.
    `admin_password`: of the user `admin` of the Airflow UI.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    signing_key: str = field(repr=False)
    fernet_key: str = field(repr=False)
    protection_key: str = field(repr=False)
    admin_password: str = field(repr=False)

    @classmethod
    def generate(cls) -> Credentials:
        """Fresh ones, from the system's random source."""
        return cls(
            access_key_id="strandline" + secrets.token_hex(5),
            secret_access_key=secrets.token_urlsafe(30),
            signing_key=secrets.token_hex(32),
            fernet_key=urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii"),
            protection_key=secrets.token_hex(32),
            admin_password=secrets.token_urlsafe(12),
        )

    def derived(self, purpose: str) -> str:
        """A further secret, 64 hexadecimal digits: always the same one for this purpose and these credentials."""
        return hmac.new(self.signing_key.encode("ascii"), purpose.encode("utf-8"), hashlib.sha256).hexdigest()


def keep(path: Path) -> Credentials:
    """The credentials in `path`; generated and written (mode 0600) when the file does not exist yet.

    Raises `UsageError` when the file is damaged: new secrets would lock out the data written under the old ones.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(**{name.name: str(content[name.name]) for name in fields(Credentials)})
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path} is damaged. Restore it, or start over with `make clean`, which removes the lake.") from None
    fresh = Credentials.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, json.dumps(asdict(fresh), indent=2) + "\n")
    return fresh


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all, readable by its owner alone."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(path)
