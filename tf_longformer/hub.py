"""Files of the Hugging Face Hub, through `huggingface_hub`.

Its cache, its environment variables (`HF_HOME`, `HF_HUB_OFFLINE`,
`HF_TOKEN`, `HF_ENDPOINT`, ...) and its progress bars are what it makes of
them; it is imported when it is first needed.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tempfile
from pathlib import Path
from typing import Any

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


def repo_id(name: str) -> str:
    """Returns the id that a name stands for, which is no file or folder.

    Args:
        name: str, a preset or an id.

    Raises:
        FileNotFoundError: if it could be neither.
    """
    name = PRESETS.get(name, name)
    if not _ID.fullmatch(name) or name[0] in ".-" or ".." in name:
        raise FileNotFoundError(
            "A model must be a folder that exists, or an id of the hub such "
            f"as 'allenai/longformer-base-4096'. Received: {name!r}. Check "
            "the path."
        )
    return name


@dataclasses.dataclass
class Repository:
    """A model on the hub, at one commit.

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
    _fixed: bool = dataclasses.field(default=False, init=False)

    def find(self, name: str) -> Path | None:
        """Returns where a file lies, downloaded if need be.

        The first one that is found decides on the commit of all others.

        Args:
            name: str, the file's name.

        Returns:
            A path in the cache, or `None` if the model has no such file.

        Raises:
            ImportError: if `huggingface_hub` isn't installed.
            OSError: if the model or the revision doesn't exist, isn't to be
                had, or the connection fails.
        """
        hub = import_hub()
        errors = hub.errors
        if self._fixed and not self.force_download and self._lacks(hub, name):
            return None
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
        except errors.LocalEntryNotFoundError as error:
            if self._is_offline(hub) or self._lacks(hub, name):
                return None
            raise self._error("can't be reached", error) from error
        except errors.EntryNotFoundError:
            return None
        # Of whatever library the connection is made with.
        except Exception as error:
            raise self._error("can't be downloaded", error) from error
        found = Path(path)
        self._fix_commit(found)
        return found

    def _is_offline(self, hub: Any) -> bool:
        return self.local_files_only or hub.constants.HF_HUB_OFFLINE

    def _lacks(self, hub: Any, name: str) -> bool:
        """Whether the cache remembers that the model has no such file."""
        path = f"{self.subfolder}/{name}" if self.subfolder else name
        found = hub.try_to_load_from_cache(
            self.repo_id,
            path,
            cache_dir=self.cache_dir,
            revision=self.revision,
        )
        return found is hub._CACHED_NO_EXIST

    def _fix_commit(self, path: Path) -> None:
        folder = path.parents[len(Path(self.subfolder).parts)]
        if folder.parent.name == "snapshots":
            self.revision = folder.name
            self._fixed = True

    def missing(self, name: str) -> OSError:
        """Returns the error for a file that the model must have.

        Args:
            name: str, the file's name.
        """
        offline = self._is_offline(import_hub())
        what = f"has no {name}"
        if offline:
            what = f"can't be asked: {name} isn't in the cache (offline)"
        return self._error(what)

    def _error(self, what: str, error: BaseException | None = None) -> OSError:
        reason = ""
        if error is not None:
            text = " ".join(str(error).split())[:300]
            reason = f" ({type(error).__name__}: {text})"
        revision = f" at {self.revision!r}" if self.revision else ""
        return OSError(
            "A model must be a folder here, or one on the hub. Received: "
            f"{self.repo_id!r}, which is no folder here, and on the hub"
            f"{revision} {what}{reason}. Check the name, the revision, the "
            "connection and `token`."
        )


class Pushable:
    """Mixin of what `save_pretrained(folder)` saves."""

    def save_pretrained(
        self, save_directory: str | os.PathLike, **options: Any
    ) -> Any:
        raise NotImplementedError

    def upload_options(self, repo_id: str) -> dict[str, Any]:
        """Returns arguments of `upload` that aren't the caller's."""
        return {"commit_message": f"Upload {type(self).__name__}"}

    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        **saving: Any,
    ) -> str:
        """Uploads to the hub what `save_pretrained` writes.

        A repository that has no model card gets one with a model.

        Args:
            repo_id: str, `owner/name`, or `name` for the token's owner. The
                repository is made if need be.
            commit_message: str. Defaults to a plain one.
            private: bool, whether a new repository is private. Defaults to
                the owner's setting.
            token: str, `True` for the one that was logged in with. Defaults
                to the library's choice.
            revision: str, the branch. Defaults to the main one.
            create_pr: bool, whether to open a pull request. Defaults to
                `False`.
            **saving: arguments of `save_pretrained`, such as a model's
                `save_format`, `max_shard_size` and `dtype`.

        Returns:
            str, the address of the commit or the pull request.

        Raises:
            ImportError: without `huggingface_hub`.
            OSError: if the hub refuses or can't be reached.
            TypeError: for an argument that `save_pretrained` doesn't take.
        """
        import_hub()
        options = self.upload_options(repo_id)
        if commit_message:
            options["commit_message"] = commit_message
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, **saving)
            return upload(
                Path(folder),
                repo_id,
                private=private,
                token=token,
                revision=revision,
                create_pr=create_pr,
                **options,
            )


def import_hub() -> Any:
    """Returns `huggingface_hub`.

    Raises:
        ImportError: if it isn't installed; the message names the extra.
    """
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


def upload(
    folder: Path,
    repo_id: str,
    *,
    card: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    commit_message: str | None = None,
    create_pr: bool = False,
) -> str:
    """Makes a model on the hub, if need be, and uploads a folder to it.

    Args:
        folder: the folder.
        repo_id: str, `owner/name`, or `name` for the owner of the token.
        card: str, the model card for a repository that has none. Defaults
            to no card.
        private: bool, whether a new repository is private. Defaults to the
            owner's setting.
        token: as for `Repository`.
        revision: str, the branch. Defaults to the main one.
        commit_message: str. Defaults to a plain one.
        create_pr: bool, whether to open a pull request. Defaults to `False`.

    Returns:
        str, the address of the commit or the pull request.

    Raises:
        ImportError: if `huggingface_hub` isn't installed.
        OSError: if the hub refuses or can't be reached.
    """
    hub = import_hub()
    api = hub.HfApi(token=token, library_name="tf-longformer")
    try:
        made = api.create_repo(repo_id, private=private, exist_ok=True)
        if card is not None and not api.file_exists(
            made.repo_id, "README.md", revision=revision
        ):
            (folder / "README.md").write_text(card, "utf-8")
        commit = api.upload_folder(
            repo_id=made.repo_id,
            folder_path=folder,
            revision=revision,
            commit_message=commit_message or "Upload a Longformer",
            create_pr=create_pr,
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise OSError(
            "A repository must be one that the token may write to. "
            f"Received: {repo_id!r} ({type(error).__name__}: {reason}). Check "
            "the name, the connection and `token`."
        ) from error
    return str(commit.pr_url or commit.commit_url)
