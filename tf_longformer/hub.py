"""Models of the Hugging Face Hub, through its library `huggingface_hub`.

The library's cache, its environment variables (`HF_HOME`, `HF_HUB_OFFLINE`,
`HF_TOKEN`, `HF_ENDPOINT`, ...) and its progress bars are used as they are.
It is imported when it is first needed.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tempfile
from pathlib import Path
from typing import Any
from typing import Protocol

from tf_longformer.errors import shown

# Short names of models on the hub.
PRESETS = {
    "longformer-base-4096": "allenai/longformer-base-4096",
    "longformer-large-4096": "allenai/longformer-large-4096",
    "longformer-large-4096-finetuned-triviaqa": (
        "allenai/longformer-large-4096-finetuned-triviaqa"
    ),
}
# `name` or `owner/name`, as the hub has them.
_ID = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?", re.ASCII)


def import_hub() -> Any:
    """Returns `huggingface_hub`, or raises an error that names the extra."""
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError as error:
        raise ImportError(
            "Models on the hub need `huggingface_hub`. Received: "
            f"{type(error).__name__}: {error}. Install it: pip install "
            "'tf-longformer[hub]', or pass a folder."
        ) from error
    return huggingface_hub


def repo_id(name: str) -> str:
    """Returns the hub's id for a name that is no folder: a preset's, or itself.

    Raises:
        FileNotFoundError: if the name can't be an id.
    """
    name = PRESETS.get(name, name)
    if not _ID.fullmatch(name) or name[0] in ".-" or ".." in name:
        raise FileNotFoundError(
            "A model must be a folder that exists, or an id of the hub such "
            f"as 'allenai/longformer-base-4096'. Received: {shown(name)}. "
            "Check the path."
        )
    return name


@dataclasses.dataclass
class Repository:
    """A model on the hub, at one commit.

    Files are downloaded one by one. A snapshot would bring the weights in
    every format that the model has, and only one is needed.

    Args:
        repo_id: str, `owner/name`.
        revision: str, branch, tag or commit. Defaults to the main branch.
        subfolder: str, folder of the files. Defaults to none.
        cache_dir: path of the cache. Defaults to the library's.
        token: str, `True` for the one that was logged in with, `False` for
            none. Defaults to the library's choice.
        local_files_only: bool, whether only the cache is looked at. Defaults
            to `False`.
        force_download: bool, whether files are downloaded again. Defaults to
            `False`.
    """

    repo_id: str
    revision: str | None = None
    subfolder: str = ""
    cache_dir: str | os.PathLike | None = None
    token: str | bool | None = None
    local_files_only: bool = False
    force_download: bool = False
    # Whether `revision` is a commit, of which nothing changes any more.
    _at_commit: bool = dataclasses.field(default=False, init=False)
    # Whether the hub has answered.
    _was_reached: bool = dataclasses.field(default=False, init=False)

    def find(self, name: str) -> Path | None:
        """Returns where a file lies in the cache, downloaded if need be.

        The first file that is found decides on the commit of all others.

        Args:
            name: str, the file's name.

        Returns:
            A path in the cache, or `None` if the model has no such file.

        Raises:
            ImportError: if `huggingface_hub` isn't installed.
            OSError: if the model or the revision doesn't exist or needs
                another token, or the connection fails.
        """
        hub = import_hub()
        errors = hub.errors
        if self._at_commit and not self.force_download and self._lacks(name):
            return None
        if not self._was_reached:
            self._check_connection(name)
        try:
            path = hub.hf_hub_download(
                self.repo_id,
                name,
                subfolder=self.subfolder or None,
                revision=self.revision,
                cache_dir=self.cache_dir,
                token=self.token,
                local_files_only=self.local_files_only,
                force_download=self.force_download,
                library_name="tf-longformer",
            )
        # The file isn't in the cache, and the hub wasn't asked (offline) or
        # didn't answer.
        except errors.LocalEntryNotFoundError as error:
            if self._is_offline() or self._lacks(name):
                return None
            raise self._error("can't be reached", error) from error
        except errors.EntryNotFoundError:
            return None
        # Any class: the library that makes the connection raises its own.
        except Exception as error:
            raise self._error("can't be downloaded", error) from error
        # In the cache the path ends in `snapshots/COMMIT/SUBFOLDER/NAME`.
        folder = Path(path).parents[len(Path(self.subfolder).parts)]
        if folder.parent.name == "snapshots":
            self.revision, self._at_commit = folder.name, True
        return Path(path)

    def _check_connection(self, name: str) -> None:
        """Raises if a file isn't in the cache and the hub can't be reached.

        The library would try again for half a minute.
        """
        hub = import_hub()
        if self._is_offline() or self._in_cache(name) is not None:
            return
        url = hub.hf_hub_url(
            self.repo_id,
            name,
            subfolder=self.subfolder or None,
            revision=self.revision,
        )
        try:
            hub.get_hf_file_metadata(url, token=self.token)
        except hub.errors.HfHubHTTPError:
            # It is an answer, of which the library will make something.
            pass
        except Exception as error:
            raise self._error("can't be reached", error) from error
        self._was_reached = True

    def missing(self, name: str) -> OSError:
        """Returns the error for a file that the model must have."""
        if self._is_offline():
            return self._error(
                f"can't be asked: {name} isn't in the cache (offline)"
            )
        return self._error(f"has no {name}")

    def _is_offline(self) -> bool:
        return self.local_files_only or import_hub().constants.HF_HUB_OFFLINE

    def _lacks(self, name: str) -> bool:
        """Whether the hub once said, and the cache remembers, that the model
        has no such file."""
        return self._in_cache(name) is import_hub()._CACHED_NO_EXIST

    def _in_cache(self, name: str) -> Any:
        """Returns what the cache has: a path, the library's mark for a file
        that the model lacks, or `None`."""
        return import_hub().try_to_load_from_cache(
            self.repo_id,
            f"{self.subfolder}/{name}" if self.subfolder else name,
            cache_dir=self.cache_dir,
            revision=self.revision,
        )

    def _error(self, what: str, error: BaseException | None = None) -> OSError:
        reason = ""
        if error is not None:
            reason = f" ({type(error).__name__}: {_one_line(error)})"
        revision = f" at {self.revision!r}" if self.revision else ""
        return OSError(
            "A model must be a folder here, or one on the hub. Received: "
            f"{shown(self.repo_id)}, which is no folder here, and on the hub"
            f"{revision} {what}{reason}. Check the name, the revision, the "
            "connection and `token`."
        )


class Saved(Protocol):
    """A model, a config or a tokenizer."""

    def save_pretrained(
        self, save_directory: str | os.PathLike, /, **saving: Any
    ) -> Any:
        """Writes all files to a folder."""


def push_to_hub(
    saved: Saved,
    repo_id: str,
    *,
    commit_message: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    card: str | None = None,
    **saving: Any,
) -> str:
    """Uploads to the hub what `save_pretrained` writes.

    Args:
        saved: a model, a config or a tokenizer.
        repo_id: str, `owner/name`, or `name` for the token's owner. The
            repository is made if need be.
        commit_message: str. Defaults to a plain one.
        private: bool, whether a new repository is private. Defaults to the
            owner's setting.
        token: str, `True` for the one that was logged in with. Defaults to
            the library's choice.
        revision: str, the branch. Defaults to the main one.
        create_pr: bool, whether to open a pull request. Defaults to `False`.
        card: str, the model card (`README.md`) for a repository that has
            none. Defaults to no card; models write one.
        **saving: arguments of `save_pretrained`, such as a model's
            `save_format`, `max_shard_size` and `dtype`.

    Returns:
        str, the address of the commit or the pull request.

    Raises:
        ImportError: without `huggingface_hub`.
        OSError: if the hub refuses or can't be reached.
        TypeError: for an argument that `save_pretrained` doesn't take.
    """
    hub = import_hub()
    api = hub.HfApi(token=token, library_name="tf-longformer")
    with tempfile.TemporaryDirectory() as folder:
        saved.save_pretrained(folder, **saving)
        try:
            repository = api.create_repo(
                repo_id, private=private, exist_ok=True
            ).repo_id
            if card is not None and not api.file_exists(
                repository, "README.md", revision=revision
            ):
                Path(folder, "README.md").write_text(card, "utf-8")
            commit = api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                revision=revision,
                commit_message=commit_message
                or f"Upload {type(saved).__name__}",
                create_pr=create_pr,
            )
        # Any class: the library that makes the connection raises its own.
        except Exception as error:
            raise OSError(
                "A repository must be one that the token may write to. "
                f"Received: {shown(repo_id)} ({type(error).__name__}: "
                f"{_one_line(error)}). Check the name, the connection and "
                "`token`."
            ) from error
    return str(commit.pr_url or commit.commit_url)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
